import { type Loose, asText, get } from './loose-json.ts';

interface Node {
  type: string;
  inputs: Loose;
}

/** A node by its id. */
type Lookup = (id: string) => Node | undefined;

const SIDES: readonly (readonly [off: string, on: string])[] = [
  ['on_false', 'on_true'],
  ['if_false', 'if_true'],
  ['false_value', 'true_value'],
  ['FALSE', 'TRUE'],
];
const CONDITIONS = ['switch', 'boolean', 'condition', 'bool', 'value', 'enabled'];
const SELECTORS = ['select', 'index', 'Input', 'input', 'selector', 'choice'];

/** The input that a switch lets through; undefined when the node is no switch, or does not say which. */
export function chosenInput(find: Lookup, node: Node): string | undefined {
  for (const [off, on] of SIDES) {
    if (get(node.inputs, off) === undefined && get(node.inputs, on) === undefined) continue;
    const condition = valueOf(find, node, CONDITIONS);
    const isOn = condition === true || condition === 'true' || condition === 'on' || condition === 1;
    const isOff = condition === false || condition === 'false' || condition === 'off' || condition === 0;
    return isOn ? on : isOff ? off : undefined;
  }
  return /switch/i.test(node.type) ? (numbered(find, node) ?? firstOf(node)) : undefined;
}

/** Nodes between a switch and the value of its condition. */
const MAX_LINKS = 10;
const HELD = ['value', 'boolean', 'int', 'number', 'Value', 'Number', ''];

/** The value of an input, through nodes that hold it. It passes no further switches, which might go round in circles. */
function valueOf(find: Lookup, node: Node, names: readonly string[]): unknown {
  let at: Node | undefined = node;
  let wanted = names;
  for (let passed = 0; at && passed < MAX_LINKS; passed += 1) {
    const inputs: Loose = at.inputs;
    const value = wanted.map((name) => get(inputs, name)).find((each) => each !== undefined);
    if (!Array.isArray(value)) return value;
    at = find(asText(value[0]) ?? '');
    wanted = HELD;
  }
  return undefined;
}

/** `select: 2` with `input1`, `input2`; names and numbers differ from extension to extension. */
function numbered(find: Lookup, node: Node): string | undefined {
  const number = Number(valueOf(find, node, SELECTORS));
  if (!Number.isInteger(number)) return undefined;
  return Object.keys(node.inputs).find((name) => {
    const end = /(\d{1,3})$/.exec(name)?.[1];
    return end !== undefined && Number(end) === number && Array.isArray(node.inputs[name]);
  });
}

/** A switch without a selector takes its first input that is connected. */
function firstOf(node: Node): string | undefined {
  const isAny = /any/i.test(node.type);
  return isAny ? Object.keys(node.inputs).find((name) => Array.isArray(node.inputs[name])) : undefined;
}
