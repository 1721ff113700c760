// Items in groups: by what is said of each (`Map.groupBy` of newer engines, which Node 20 lacks), or so many at a time.

/** The items by what `keyOf` says of each, in order. */
export function groupBy<T, K>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** `items` in their order, `count` at a time, the last group with what is left. */
export function* groupsOf<T>(items: readonly T[], count: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += count) yield items.slice(at, at + count);
}
