import { Type } from 'typebox';
import { WEBHOOK_PROVIDERS, webhooksProvenBy } from '../../sources/providers/registry.ts';
import { IgnoredMedia, component, ref } from '../../shapes/common.ts';

export const WebhookParams = Type.Object({
  provider: Type.Enum([...WEBHOOK_PROVIDERS], { description: 'Who calls back.', examples: ['replicate'] }),
});

export const WebhookQuery = Type.Object({
  secret: Type.Optional(
    Type.String({
      maxLength: 500,
      description: `The secret of the address, for providers that cannot sign (${webhooksProvenBy('url-secret', 'signature-or-url-secret')}).`,
    }),
  ),
  userId: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description:
        'Owner, when neither the body nor a registered job says. It counts only where the `secret` of the URL is the proof: a signature does not cover the URL.',
    }),
  ),
  jobId: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 500,
      description: 'The job, where the `secret` of the URL is the proof. A signed body must name its job itself.',
    }),
  ),
});

const WebhookReceipt = component(
  'WebhookReceipt',
  {
    received: Type.Literal(true, { description: 'Always `true`.' }),
    state: Type.Enum(['accepted', 'duplicate', 'parked'], {
      description:
        '`accepted`: the items exist, and what is to be downloaded is on its way; `duplicate`: it was here before, nothing was changed; `parked`: kept for 30 days, until its job is registered or an admin releases it.',
      examples: ['accepted'],
    }),
    jobId: Type.String({ description: 'The job that it is about.', examples: ['9f0c-u1'] }),
    items: Type.Array(Type.String({ examples: ['42'] }), { description: 'Ids of the items that it tells of.' }),
    ignored: Type.Array(ref(IgnoredMedia), { description: 'What else it holds of media, and why it is no output.' }),
  },
  { description: 'What became of a webhook.' },
);

export const receiptResponse = {
  description: 'It was taken in.',
  content: { 'application/json': { schema: ref(WebhookReceipt) } },
};
