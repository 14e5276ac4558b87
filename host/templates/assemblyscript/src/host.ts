// What this module may ask of the host. Only what is called here becomes an import of the component, and only what the binding
// grants is answered. The other interfaces are in wit/capability.wit.

/** What the host answered: a value or none, or the status to end with when the host refused. */
export class Answer {
  constructor(public refused: string | null, public value: string | null) {}
}

/** `result<option<string>, error>`, where the host writes it. */
const AREA = memory.data(16, 4);

// @ts-ignore: decorator
@external("enact:capability/registry@0.1.0", "register")
declare function register(store: usize, storeSize: usize, key: usize, keySize: usize, value: usize, valueSize: usize, area: usize): void;

// @ts-ignore: decorator
@external("enact:capability/registry@0.1.0", "lookup")
declare function lookup(store: usize, storeSize: usize, key: usize, keySize: usize, area: usize): void;

/** Takes a key, or answers the value of whoever has it. */
export function registryRegister(store: string, key: string, value: string): Answer {
  const s = String.UTF8.encode(store), k = String.UTF8.encode(key), v = String.UTF8.encode(value);
  register(changetype<usize>(s), s.byteLength, changetype<usize>(k), k.byteLength, changetype<usize>(v), v.byteLength, AREA);
  return answered();
}

/** The value of a key. */
export function registryLookup(store: string, key: string): Answer {
  const s = String.UTF8.encode(store), k = String.UTF8.encode(key);
  lookup(changetype<usize>(s), s.byteLength, changetype<usize>(k), k.byteLength, AREA);
  return answered();
}

function answered(): Answer {
  const some = load<u8>(AREA, 4);
  if (load<u8>(AREA, 0) != 0) {
    // denied, limit, unavailable: ours or the host's fault; invalid: that of who called.
    return new Answer(some == 3 ? "VIOLATION" : "BACKEND_ERROR", null);
  }
  return new Answer(null, some ? String.UTF8.decodeUnsafe(load<usize>(AREA, 8), load<usize>(AREA, 12)) : null);
}
