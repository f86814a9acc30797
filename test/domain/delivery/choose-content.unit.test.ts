import { expect, test } from 'vitest';
import type { DeliveredItem } from '../../../src/db/items/delivery-row.ts';
import { externalUrl } from '../../../src/domain/delivery/choose-content.ts';

const HOSTS = ['cdn.example.com'];
const item = (storageUrl: string, status = 'success') => ({ storageUrl, status }) as DeliveredItem;

test.each([
  ['of an allowed host', item('https://cdn.example.com/a.png'), 'https://cdn.example.com/a.png'],
  ['of an allowed host in capitals', item('https://CDN.example.com/a.png'), 'https://cdn.example.com/a.png'],
  ['of another host', item('https://other.example.com/a.png'), undefined],
  ['of a host whose name ends alike', item('https://xcdn.example.com/a.png'), undefined],
  ['without TLS', item('http://cdn.example.com/a.png'), undefined],
  ['that is no URL', item('outputs/a.png'), undefined],
  ['that is empty', item(''), undefined],
  ['of a failed item', item('https://cdn.example.com/a.png', 'failed'), undefined],
  ['of a pending item', item('https://cdn.example.com/a.png', 'pending'), undefined],
])('the storage URL %s leads there, or nowhere', (_name, given, url) => {
  expect(externalUrl(given, HOSTS)).toBe(url);
});
