/** The import rules of docs/ARCHITECTURE.md, read from the import lines themselves. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const SRC = resolve(import.meta.dirname, '../src')

interface Import {
  readonly file: string
  /** Path below src/, or the package's name. */
  readonly target: string
  readonly typeOnly: boolean
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .sort()

function importsOf(file: string): Import[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  const found: Import[] = []
  const pattern =
    /^(?:import|export)\s+(type\s)?[^'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|^import\s+['"]([^'"]+)['"]/gm
  for (const [, type, from, dynamic, bare] of text.matchAll(pattern)) {
    const name = from ?? dynamic ?? bare ?? ''
    const target = name.startsWith('.') ? relative(SRC, resolve(dirname(join(SRC, file)), name)) : name
    found.push({ file, target, typeOnly: type !== undefined })
  }
  return found
}

const imports = files.flatMap(importsOf)
const room = (path: string): string => path.split('/')[0] ?? ''
const own = (target: string): boolean => target.endsWith('.ts')

/** Shared by all rooms: plain data, errors, the typed list of happenings, the config's shapes, calls into C libraries. */
const COMMON = [
  'dead-letter.ts',
  'event.ts',
  'event-schema.ts',
  'errors.ts',
  'error-codes.ts',
  'feed-health.ts',
  'native-calls.ts',
  'probe.ts',
  'report.ts',
  'record.ts',
  'flat-text.ts',
  'unprintable.ts',
]

/** What each room may import besides itself and the common files. */
const MAY: Record<string, (target: string, entry: Import) => boolean> = {
  scheduler: () => false,
  store: target => room(target) === 'scheduler',
  sinks: target => room(target) === 'scheduler' || room(target) === 'config' || target === 'store/contract.ts',
  subscribers: target => room(target) === 'scheduler' || room(target) === 'config' || target === 'store/contract.ts',
  ops: (target, entry) =>
    room(target) === 'scheduler' || room(target) === 'config' || (entry.typeOnly && target === 'store/contract.ts'),
  replay: (target, entry) =>
    ['scheduler', 'config'].includes(room(target)) ||
    /^(store\/(contract|open)|sinks\/(contract|burials|pump|pump-contract)|subscribers\/(contract|intake|lost-state)|source-set)\.ts$/.test(
      target,
    ) ||
    (entry.typeOnly && target === 'ops/http-act.ts'),
  simulators: () => false,
  tools: target => room(target) === 'scheduler',
  config: () => false,
}

/** Packages that exactly one place may know. */
const ONLY: [RegExp, RegExp][] = [
  [/^@nats-io\//, /^sinks\/nats/],
  [/^prom-client$/, /^ops\/metrics\.ts$/],
  [/^pino$/, /^ops\/log\.ts$/],
  [/^undici$/, /^subscribers\/http\.ts$/],
  [/^ws$/, /^(subscribers\/apic\/socket\.ts|simulators\/)/],
  [/^node:sqlite$/, /^store\//],
  [/^selfsigned$/, /^simulators\//],
]

describe('architecture', () => {
  it('reads every source file', () => {
    expect(files.length).toBeGreaterThan(40)
    expect(imports.length).toBeGreaterThan(100)
  })

  it('imports run one way between the rooms', () => {
    const wrong = imports
      .filter(entry => own(entry.target) && entry.file.includes('/'))
      .filter(entry => room(entry.file) in MAY && room(entry.target) !== room(entry.file))
      .filter(entry => !COMMON.includes(entry.target) && MAY[room(entry.file)]?.(entry.target, entry) !== true)
    expect(wrong.map(entry => `${entry.file} → ${entry.target}`)).toEqual([])
  })

  it('the common files know no room', () => {
    const wrong = imports.filter(
      entry => COMMON.includes(entry.file) && own(entry.target) && !COMMON.includes(entry.target),
    )
    expect(wrong.map(entry => `${entry.file} → ${entry.target}`)).toEqual([])
  })

  it('one system does not know another', () => {
    const system = (path: string) => /^(?:subscribers|simulators)\/(apic|raas|vcd)\//.exec(path)?.[1]
    const wrong = imports.filter(entry => {
      const [from, to] = [system(entry.file), system(entry.target)]
      return from !== undefined && to !== undefined && from !== to
    })
    expect(wrong.map(entry => `${entry.file} → ${entry.target}`)).toEqual([])
  })

  it('the runner and what it writes with know no protocol', () => {
    const wrong = imports.filter(
      entry => /^subscribers\/[a-z-]+\.ts$/.test(entry.file) && /^subscribers\/(apic|raas|vcd)\//.test(entry.target),
    )
    expect(wrong.map(entry => `${entry.file} → ${entry.target}`)).toEqual([])
  })

  it.each(ONLY)('%s is imported only by %s', (library, place) => {
    const users = imports.filter(entry => library.test(entry.target))
    expect(users.length).toBeGreaterThan(0)
    expect(users.filter(entry => !place.test(entry.file)).map(entry => entry.file)).toEqual([])
  })

  it('only the clock touches timers, wall time and chance', () => {
    const time = /\b(setTimeout|setInterval|Date\.now|performance\.now|Math\.random)\b|new Date\(\)|node:timers/
    // Giving others a turn is no time; the simulators, which import no room, may do it by themselves.
    const turn = /\bsetImmediate\b/
    const wrong = files
      // The script of the page runs in a browser, by its clock.
      .filter(file => file !== 'scheduler/clock.ts' && file !== 'ops/page-script.ts')
      .filter(file => {
        const code = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
        return time.test(code) || (room(file) !== 'simulators' && turn.test(code))
      })
    expect(wrong).toEqual([])
  })

  it('only main ends the process', () => {
    const wrong = files
      .filter(file => file !== 'main.ts' && file !== 'end-process.ts')
      .filter(file => /process\.(exit\b|exitCode)/.test(readFileSync(join(SRC, file), 'utf8')))
    expect(wrong).toEqual([])
  })

  it('files stay under 350 lines, folders two deep, names plain', () => {
    const lines = (file: string): number => readFileSync(join(SRC, file), 'utf8').split('\n').length - 1
    expect(files.filter(file => lines(file) >= 350)).toEqual([])
    expect(files.filter(file => file.split('/').length > 3)).toEqual([])
    expect(files.filter(file => /(manager|helper|util|common)|^(.*\/)?(types|index)\.ts$/.test(file))).toEqual([])
  })
})
