// Loaded into a service process before anything else (`--import`): shifts its wall clock by CLOCK_OFFSET_SECONDS. Timers and
// performance.now() keep their pace, as on a machine with a wrong clock.
const TrueDate = Date;
const offset = Number(process.env['CLOCK_OFFSET_SECONDS']) * 1000;

class ShiftedDate extends TrueDate {
  constructor(...parts: [] | [string | number | Date]) {
    if (parts.length === 0) super(TrueDate.now() + offset);
    // The further parts of a local time are passed on unchanged.
    else super(...parts);
  }
  static override now(): number {
    return TrueDate.now() + offset;
  }
}
globalThis.Date = ShiftedDate as DateConstructor;
