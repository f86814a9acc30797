import { flatFields } from '../../shapes/item-fields.ts';
import { type Static, Type } from 'typebox';
import { component, jsonObject, ref, text, requestComponent } from '../../shapes/common.ts';

const { status: _status, error: _error, filename, ...fields } = flatFields;

export const UploadRequest = requestComponent(
  'UploadRequest',
  {
    ...fields,
    filename: Type.Optional(filename),
    metadata: Type.Optional(jsonObject("The caller's own data, up to 64 KiB and 32 levels.")),
    generation: Type.Optional(jsonObject('How it was made, up to 64 KiB.')),
    contentType: Type.Optional(
      text(
        "Type of the file, as `File.type` tells it; empty: the name's ending tells, or else the bytes. What arrives is kept under its true type, which must be of that type's family.",
        100,
        { examples: ['image/png'] },
      ),
    ),
    bytes: Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Size of the file.',
      examples: [68],
    }),
  },
  {
    additionalProperties: false,
    description: 'What is going to be sent, and the fields of its item.',
    examples: [{ userId: 'user-1', filename: 'fox.png', contentType: 'image/png', bytes: 68, prompt: 'a red fox' }],
  },
);
export type UploadRequest = Static<typeof UploadRequest>;

const Upload = component(
  'Upload',
  {
    id: Type.String({ description: 'Id of the upload.', examples: ['0d5a3f6e-8f5f-4a53-9a53-1f8a6a1f3c11'] }),
    method: Type.String({ description: 'Always `PUT`.', examples: ['PUT'] }),
    url: Type.String({
      description: 'Where to send the bytes; needs no token.',
      examples: [
        'http://127.0.0.1:8080/v1/uploads/0d5a3f6e-8f5f-4a53-9a53-1f8a6a1f3c11/content?token=mku_derived~WyJQVVQiXQ~c2ln',
      ],
    }),
    headers: Type.Record(Type.String(), Type.String(), {
      description: 'Headers to send with them, exactly so.',
      examples: [{ 'content-type': 'image/png' }],
    }),
    expiresAt: Type.String({ format: 'date-time', description: 'From then on the bytes are refused.' }),
  },
  { description: 'An upload that was begun: PUT the bytes, then complete it.' },
);

export const uploadResponse = {
  description: 'The upload.',
  content: { 'application/json': { schema: ref(Upload) } },
};
export const UploadParams = Type.Object({
  id: Type.String({
    format: 'uuid',
    description: 'Id of the upload.',
    examples: ['0d5a3f6e-8f5f-4a53-9a53-1f8a6a1f3c11'],
  }),
});
