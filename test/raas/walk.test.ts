import { expect, test } from 'vitest'
import { Retryable } from '../../src/errors.ts'
import { readingAround } from '../../src/subscribers/raas/oversize.ts'
import { Pace, type ReadPage, readAll, walkDown } from '../../src/subscribers/raas/walk.ts'

interface Item {
  readonly name: string
  readonly us: number
}

/** A listing, newest first, that never gives more than `cap` rows. */
function listing(items: readonly Item[], cap = Number.POSITIVE_INFINITY): ReadPage {
  return (limit, page) => {
    const size = Math.min(limit, cap)
    return Promise.resolve({ rows: items.slice(page * size, (page + 1) * size), count: items.length })
  }
}

const items = (count: number, us: (n: number) => number = n => count - n): Item[] =>
  Array.from({ length: count }, (_, n) => ({ name: `r${n}`, us: us(n) }))

async function walk(read: ReadPage, low: number, more: { pace?: Pace; maxRows?: number } = {}) {
  const names = new Set<string>()
  const result = await walkDown<Item>({
    ...{ read, pace: more.pace ?? new Pace(), maxRows: more.maxRows ?? 100_000 },
    atUs: item => item.us,
    parse: row => row as Item,
    low: () => low,
    take: item => names.add(item.name),
  })
  return { names, result }
}

test('walks down to the mark, not to the end', async () => {
  const { names, result } = await walk(listing(items(1000)), 701)
  expect(names.size).toBe(400)
  expect(result).toMatchObject({ newestUs: 1000, oldestUs: 601, complete: true, tornUs: [] })
})

test('an empty listing', async () => {
  const { names, result } = await walk(listing([]), 0)
  expect(names.size).toBe(0)
  expect(result).toMatchObject({ newestUs: undefined, complete: true })
})

test('stops at the most rows and says so', async () => {
  const { result } = await walk(listing(items(1000)), -1, { maxRows: 400 })
  expect(result).toMatchObject({ oldestUs: 601, complete: false })
})

test('a server that caps its pages is read whole, and its cap remembered', async () => {
  const pace = new Pace()
  const { names } = await walk(listing(items(500), 30), -1, { pace })
  expect(names.size).toBe(500)
  expect(pace.limit).toBe(30)
})

test('a count that is too high is no cap: pages stay as large as they were', async () => {
  const pace = new Pace()
  const read: ReadPage = async (limit, page) => ({ ...(await listing(items(2))(limit, page)), count: 3 })
  const { names, result } = await walk(read, -1, { pace })
  expect([names.size, result.complete, pace.limit]).toEqual([2, true, 200])
})

test('a row that comes between the page and the look behind it is no cap either', async () => {
  const pace = new Pace()
  const all = items(3)
  let calls = 0
  const read: ReadPage = (limit, page) => {
    const now = calls++ === 0 ? all.slice(1) : all
    return Promise.resolve({ rows: now.slice(page * limit, (page + 1) * limit), count: now.length + 1 })
  }
  await walk(read, -1, { pace })
  expect(pace.limit).toBe(200)
})

test('a cap that is gone is forgotten after some walks, ties or not', async () => {
  const pace = new Pace()
  await walk(listing(items(500), 30), -1, { pace })
  expect(pace.limit).toBe(30)
  for (let turn = 0; turn < 10; turn++) await walk(listing(items(100, () => 1)), 0, { pace })
  expect(pace.limit).toBe(200)
})

test('a tie larger than any page ends, and is told', async () => {
  const { names, result } = await walk(listing(items(5000, () => 1)), 0)
  expect(names.size).toBe(5000)
  expect(result.tornUs).toEqual([1])
})

test('a page edge in a small group of one time, where pages can not grow: read once more, cut elsewhere', async () => {
  // At every size an edge falls into a group: at 200, 400, 800, 1600 and 2000.
  const edges = [200, 400, 800, 1600, 2000]
  const all = items(4000, n => {
    const edge = edges.find(one => Math.abs(n - one) <= 60)
    return 4000 - (edge === undefined ? n : edge - 60)
  })
  // Each answer gives the groups in another order.
  let calls = 0
  const read: ReadPage = (limit, page) => {
    const turn = ++calls
    const order = (n: number): number => (n * 7919 * turn) % 4001
    const now = [...all.entries()].sort(([a, x], [b, y]) => y.us - x.us || order(a) - order(b)).map(([, item]) => item)
    return listing(now)(limit, page)
  }
  const { names, result } = await walk(read, -1)
  expect([names.size, result.tornUs, result.complete]).toEqual([4000, [], true])
})

test('pages grow over a tie and shrink again after calm walks', async () => {
  const pace = new Pace()
  await walk(listing(items(500, n => (n < 400 ? 2 : 1))), 0, { pace })
  expect(pace.limit).toBeGreaterThan(200)
  for (let turn = 0; turn < 40; turn++) await walk(listing(items(10)), 0, { pace })
  expect(pace.limit).toBe(200)
})

test('a walk that begins again counts from there: what was written again meanwhile stands at another place', async () => {
  const all = items(500, n => (n < 150 ? 1000 - n : n < 250 ? 800 : 500 - n))
  let begun = 0
  const read: ReadPage = async (limit, page) => {
    const count = begun > 1 ? 499 : 500
    return { ...(await listing(all)(limit, page)), count }
  }
  const result = await walkDown<Item>({
    ...{ read, pace: new Pace(), maxRows: 100_000, low: () => 0, take: () => undefined },
    atUs: item => item.us,
    parse: row => row as Item,
    begin: () => {
      begun++
    },
  })
  expect([begun, result.counts]).toEqual([2, { least: 499, most: 499 }])
})

test('two timeouts in a row halve the pages', async () => {
  const pace = new Pace()
  const dead: ReadPage = () => Promise.reject(new Retryable('timeout', 'no answer'))
  for (let turn = 0; turn < 2; turn++) await expect(walk(dead, 0, { pace })).rejects.toThrow('no answer')
  expect(pace.limit).toBe(100)
})

test('a page above the byte limit is read in parts, and the one row that is too large left out', async () => {
  let skipped = 0
  const all = items(500)
  const read = readingAround(
    async (limit, page) => {
      const answer = await listing(all)(limit, page)
      if (answer.rows.some(row => (row as Item).name === 'r123')) throw new Retryable('too_large', 'too large')
      return answer
    },
    () => [],
    () => {
      skipped++
      return Promise.resolve()
    },
  )
  const { names, result } = await walk(read, -1)
  expect(names.size).toBe(499)
  expect(skipped).toBe(1)
  expect(result.complete).toBe(true)
})

test('readAll reads every page, capped or not', async () => {
  expect(await readAll(listing(items(450)), 200)).toHaveLength(450)
  expect(await readAll(listing(items(450), 30), 200)).toHaveLength(450)
  expect(await readAll(listing([]), 200)).toEqual([])
})

test('a group of one time that had to be read in parts is told: its rows may have changed places between them', async () => {
  const all = items(300, n => (n < 100 ? 300 - n : n < 160 ? 150 : 100 - n))
  const read = readingAround(
    async (limit, page) => {
      if (limit > 10) throw new Retryable('too_large', 'too large')
      return listing(all)(limit, page)
    },
    () => [],
    () => Promise.resolve(),
  )
  const { result } = await walk(read, 149)
  expect(result.tornUs).toEqual([150])
  const { result: apart } = await walk(read, 210)
  expect(apart.tornUs).toEqual([])
})
