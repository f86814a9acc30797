import { expect, test } from 'vitest';
import { comfyHistory, comfyViewUrl } from '../../../src/sources/comfyui/history.ts';

test('a ComfyUI history: the outputs of all nodes are found, except temporary files and values that are not files', () => {
  const history = {
    p1: {
      prompt: [
        1,
        'p1',
        { 3: { class_type: 'KSampler', inputs: { seed: 5 } } },
        { extra_pnginfo: { workflow: { nodes: [] } } },
        ['9'],
      ],
      outputs: {
        9: {
          images: [
            { filename: 'a.png', subfolder: '', type: 'output' },
            { filename: 't.png', subfolder: '', type: 'temp' },
          ],
          animated: [true],
        },
        12: { gifs: [{ filename: 'a.png', subfolder: 'anim', type: 'output' }], text: ['hello'] },
        15: { '3d': [{ filename: 'm.glb', subfolder: '', type: 'output' }] },
      },
      status: { status_str: 'success', completed: true, messages: [] },
    },
  };
  const found = comfyHistory(history, 'p1');
  expect(found?.files).toEqual([
    { node: '9', filename: 'a.png', subfolder: '', type: 'output' },
    { node: '12', filename: 'a.png', subfolder: 'anim', type: 'output' },
    { node: '15', filename: 'm.glb', subfolder: '', type: 'output' },
  ]);
  expect(found).toMatchObject({
    state: 'succeeded',
    graph: { 3: { class_type: 'KSampler' } },
    workflow: { nodes: [] },
  });
  expect(comfyViewUrl('http://comfy:8188/', { node: '1', filename: 'ü &.png', subfolder: 'a/b', type: 'output' })).toBe(
    'http://comfy:8188/view?filename=%C3%BC+%26.png&subfolder=a%2Fb&type=output',
  );
  expect(comfyHistory({}, 'p1')).toBeUndefined();
  const error = [
    'execution_error',
    { node_id: '3', node_type: 'KSampler', exception_message: 'out of memory\n', exception_type: 'OOM' },
  ];
  expect(
    comfyHistory(
      { p1: { outputs: {}, status: { status_str: 'error', completed: false, messages: [['x', {}], error] } } },
      'p1',
    ),
  ).toMatchObject({ state: 'failed', error: { class: 'OOM', message: 'node 3 (KSampler): out of memory' } });
});
