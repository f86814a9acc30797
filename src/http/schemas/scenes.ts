import { requestComponent } from '../../shapes/common.ts';
import { Type } from 'typebox';

export const ProjectParams = Type.Object({
  projectId: Type.String({
    format: 'uuid',
    description: 'Project.',
    examples: ['6f1c7f0e-0000-4000-8000-000000000001'],
  }),
});

export const SceneParams = Type.Object({
  ...ProjectParams.properties,
  sceneId: Type.String({ minLength: 1, maxLength: 255, description: 'Scene in the project.', examples: ['scene_1'] }),
});

export const VersionsQuery = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Versions on a page.' }),
    cursor: Type.Optional(Type.String({ maxLength: 1000, description: '`nextCursor` of the page before.' })),
  },
  { additionalProperties: false },
);

export const RollBack = requestComponent(
  'RollBack',
  {
    version: Type.Integer({
      minimum: 1,
      maximum: 2_147_483_647,
      description: 'Version to make current.',
      examples: [1],
    }),
  },
  {
    additionalProperties: false,
    description: 'Which version is to be the current one.',
    examples: [{ version: 1 }],
  },
);
