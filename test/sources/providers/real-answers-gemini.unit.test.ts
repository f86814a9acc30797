import { base64Of, describeAnswers, url } from './real-answers.ts';

const png = base64Of('png');
const png2 = base64Of('png', 2);
const mp4 = base64Of('mp4');

const inline = (data: string) => ({ inlineData: { mimeType: 'image/png', data } });
const said = (parts: object[], more: object = {}) => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, ...more }],
  usageMetadata: { totalTokenCount: 9 },
  modelVersion: 'gemini-2.5-flash-image',
  responseId: 'r',
});

describeAnswers('gemini', [
  {
    name: 'an interaction that repeats what was sent',
    answer: {
      id: 'i',
      status: 'completed',
      steps: [
        { type: 'user_input', content: [{ type: 'image', data: png2, mime_type: 'image/png' }] },
        { type: 'model_output', content: [{ type: 'image', data: png, mime_type: 'image/png' }] },
      ],
    },
    outputs: [png],
  },
  {
    name: 'pages that were searched',
    answer: said([inline(png)], {
      groundingMetadata: {
        groundingChunks: [{ web: { uri: 'https://x.example.com/a' } }, { image: { imageUri: url('g.png') } }],
      },
    }),
    outputs: [png],
    ignored: [url('g.png')],
  },
  {
    name: 'Veo that filtered the text',
    answer: { name: 'o', done: true, response: { raiTextFilteredReason: { confidence: 1, reason: 'hate speech' } } },
    state: 'failed',
    error: 'hate speech',
  },
  {
    name: 'a picture between texts',
    answer: said([{ text: 'Here it is.' }, { ...inline(png), thoughtSignature: 'A'.repeat(400) }, { text: 'Enjoy.' }], {
      finishReason: 'STOP',
    }),
    outputs: [png],
    facts: { model: 'gemini-2.5-flash-image' },
  },
  {
    name: 'drafts marked as thoughts',
    answer: said([{ text: 'thinking', thought: true }, { ...inline(png), thought: true }, inline(png2)], {
      finishReason: 'STOP',
    }),
    outputs: [png2],
  },
  {
    name: 'a picture that was kept back',
    answer: {
      candidates: [{ finishReason: 'IMAGE_SAFETY', finishMessage: 'Unable to show the generated image.', index: 0 }],
    },
    state: 'failed',
    error: 'Unable to show',
  },
  {
    name: 'one kept back beside one made',
    answer: {
      candidates: [
        { content: { parts: [inline(png)] }, finishReason: 'STOP' },
        { finishReason: 'PROHIBITED_CONTENT', finishMessage: 'Refused.' },
      ],
    },
    outputs: [png],
    error: 'Refused',
  },
  {
    name: 'an end without a picture',
    answer: { candidates: [{ content: { role: 'model' }, finishReason: 'MAX_TOKENS', index: 0 }] },
    state: 'failed',
    error: 'MAX_TOKENS',
  },
  {
    name: 'an unsupported language',
    answer: { candidates: [{ finishReason: 'LANGUAGE' }] },
    state: 'failed',
    error: 'LANGUAGE',
  },
  {
    name: 'a blocked prompt',
    answer: {
      promptFeedback: {
        blockReason: 'PROHIBITED_CONTENT',
        blockReasonMessage: 'The prompt is not allowed.',
        safetyRatings: [{ category: 'X', probability: 'HIGH', blocked: true }],
      },
    },
    state: 'failed',
    error: 'not allowed',
  },
  {
    name: 'an exceeded quota',
    answer: {
      error: {
        code: 429,
        message: 'You exceeded your current quota.',
        status: 'RESOURCE_EXHAUSTED',
        details: [
          {
            '@type': 'type.googleapis.com/google.rpc.Help',
            links: [{ description: 'Learn more', url: 'https://ai.google.dev/gemini-api/docs/rate-limits' }],
          },
        ],
      },
    },
    state: 'failed',
    error: 'exceeded your current quota',
  },
  {
    name: 'the pieces of a stream',
    answer: [said([{ text: 'Here' }]), said([inline(png)], { finishReason: 'STOP' })],
    outputs: [png],
  },
  {
    name: 'Imagen with an enhanced prompt and one filtered',
    answer: {
      predictions: [
        { mimeType: 'image/png', prompt: 'a red fox in snow', bytesBase64Encoded: png },
        { raiFilteredReason: 'Support codes: 58061214' },
      ],
    },
    outputs: [png],
    error: '58061214',
    each: { [png]: { contentType: 'image/png', generation: { revisedPrompt: 'a red fox in snow' } } },
  },
  {
    name: 'Imagen on Vertex with a bucket',
    answer: { predictions: [{ gcsUri: 'gs://box/a.png', mimeType: 'image/png' }] },
    outputs: ['gs://box/a.png'],
  },
  {
    name: 'Lyria',
    answer: {
      predictions: [{ audioContent: base64Of('wav'), mimeType: 'audio/wav' }],
      deployedModelId: '1',
      model: 'projects/p/models/lyria-002',
    },
    outputs: [base64Of('wav')],
  },
  {
    name: 'Veo of the Gemini API',
    answer: {
      name: 'models/veo-3.0/operations/o',
      done: true,
      response: {
        '@type': 'x',
        generateVideoResponse: {
          generatedSamples: [
            { video: { uri: 'https://generativelanguage.googleapis.com/v1beta/files/f:download?alt=media' } },
          ],
        },
      },
    },
    outputs: ['https://generativelanguage.googleapis.com/v1beta/files/f:download?alt=media'],
  },
  {
    name: 'Veo on Vertex',
    answer: {
      name: 'projects/p/operations/o',
      done: true,
      response: {
        '@type': 'x',
        raiMediaFilteredCount: 0,
        videos: [
          { gcsUri: 'gs://box/sample_0.mp4', mimeType: 'video/mp4' },
          { bytesBase64Encoded: mp4, mimeType: 'video/mp4' },
        ],
      },
    },
    outputs: ['gs://box/sample_0.mp4', mp4],
  },
  {
    name: 'Veo that filtered everything',
    answer: {
      name: 'o',
      done: true,
      response: {
        raiMediaFilteredCount: 1,
        raiMediaFilteredReasons: ['Veo could not generate videos because the input image violates the policy.'],
      },
    },
    state: 'failed',
    error: 'violates the policy',
  },
  {
    name: 'Veo that filtered one of two',
    answer: {
      name: 'o',
      done: true,
      response: {
        generateVideoResponse: {
          generatedSamples: [{ video: { uri: url('v.mp4') } }],
          raiMediaFilteredCount: 1,
          raiMediaFilteredReasons: ['Audio was filtered.'],
        },
      },
    },
    outputs: [url('v.mp4')],
    error: 'Audio was filtered',
  },
  {
    name: 'an operation that failed',
    answer: { name: 'o', done: true, error: { code: 3, message: 'The prompt is empty.' } },
    state: 'failed',
    error: 'prompt is empty',
  },
  {
    name: 'an operation with metadata alone',
    answer: { name: 'o', metadata: { '@type': 'x', createTime: 't', genericMetadata: { state: 'RUNNING' } } },
    state: 'running',
  },
  { name: 'an operation that is not done', answer: { name: 'projects/p/operations/o', done: false }, state: 'running' },
  {
    name: 'a file that can be read',
    answer: {
      name: 'files/f',
      mimeType: 'video/mp4',
      state: 'ACTIVE',
      uri: 'https://generativelanguage.googleapis.com/v1beta/files/f',
      source: 'GENERATED',
    },
    outputs: ['https://generativelanguage.googleapis.com/v1beta/files/f'],
  },
]);
