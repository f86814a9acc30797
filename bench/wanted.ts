/** Minimum ratio to the reference server that each kind of work must reach. */
export const WANTED: Record<string, number> = {
  'upload 100 KB, multipart': 0.9,
  'upload 100 KB, raw': 1.0,
  'upload 1 MB, multipart': 1.0,
  'upload 1 MB, raw': 1.2,
  'upload 50 MB, multipart': 1.2,
  'upload 50 MB, raw': 1.2,
  'download 100 KB, hot': 3,
  'download 100 KB, cold': 1.2,
  'download 1 MB': 2,
  'download 50 MB': 2,
  'look up one item': 0.7,
  'list 100 items': 0.7,
  'presigned URLs': 1.0,
};
