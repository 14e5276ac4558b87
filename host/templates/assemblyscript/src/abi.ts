// The canonical ABI of the exports: how strings arrive, how an answer leaves. The build checks every signature against wit/.

/** `record outcome { status: string, outputs: string }`, where the host reads it. */
const OUTCOME = memory.data(16, 4);

/** Where the host gets memory for what it passes in. An instance serves one call, so nothing is given back. */
export function cabi_realloc(old: usize, oldSize: usize, align: usize, newSize: usize): usize {
  if (newSize == 0) return align;
  const block = heap.alloc(newSize);
  if (oldSize != 0) memory.copy(block, old, min(oldSize, newSize));
  return block;
}

/** A string that the host has written. */
export function text(start: usize, size: usize): string {
  return String.UTF8.decodeUnsafe(start, size);
}

/** Leaves an answer for the host: a status and a JSON object. */
export function answer(status: string, outputs: string): usize {
  const first = String.UTF8.encode(status);
  const second = String.UTF8.encode(outputs);
  store<usize>(OUTCOME, changetype<usize>(first), 0);
  store<usize>(OUTCOME, <usize>first.byteLength, 4);
  store<usize>(OUTCOME, changetype<usize>(second), 8);
  store<usize>(OUTCOME, <usize>second.byteLength, 12);
  return OUTCOME;
}

/** A failed assertion is a trap without a message: there is nobody to read one. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  unreachable();
}
