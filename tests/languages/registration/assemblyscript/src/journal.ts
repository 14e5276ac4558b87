// What the journal asks of the host: the time, and a record at the end of a log.

/** `result<string, error>` or `result<_, error>`, where the host writes it. */
const AREA = memory.data(12, 4);

// @ts-ignore: decorator
@external("enact:capability/clock@0.1.0", "now")
declare function now(area: usize): void;

// @ts-ignore: decorator
@external("enact:capability/log@0.1.0", "append")
declare function append(store: usize, storeSize: usize, value: usize, valueSize: usize, area: usize): void;

/** The host's time, or null when the host refused. */
export function clockNow(): string | null {
  now(AREA);
  return load<u8>(AREA, 0) != 0 ? null : String.UTF8.decodeUnsafe(load<usize>(AREA, 4), load<usize>(AREA, 8));
}

/** Whether the host took the record. */
export function logAppend(store: string, value: string): bool {
  const s = String.UTF8.encode(store), v = String.UTF8.encode(value);
  append(changetype<usize>(s), s.byteLength, changetype<usize>(v), v.byteLength, AREA);
  return load<u8>(AREA, 0) == 0;
}
