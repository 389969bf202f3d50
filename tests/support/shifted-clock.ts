// Preloaded (NODE_OPTIONS=--import=...) by processes that are to live in another time: CLOCK_OFFSET_MS from now.
const offsetMs = Number(process.env['CLOCK_OFFSET_MS'] ?? 0);
const RealDate = Date;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [RealDate.now() + offsetMs] : args, newTarget) as Date,
  get: (target, property, receiver) =>
    property === 'now' ? () => RealDate.now() + offsetMs : (Reflect.get(target, property, receiver) as unknown),
});
Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + offsetMs });
