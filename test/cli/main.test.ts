import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { parseConfig } from '../../src/config/load.ts'
import { Retryable } from '../../src/errors.ts'
import { main } from '../../src/main.ts'
import { type Captured, captured } from './captured-io.ts'

const CONFIG = join(import.meta.dirname, '..', 'config')
const GOOD = join(CONFIG, 'design-sample.yaml')
const BAD = join(CONFIG, 'invalid', 'many-at-once.yaml')
const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

async function call(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const { io, out, err } = captured()
  return { code: await main(argv, io), out: out(), err: err() }
}

describe('help', () => {
  it('lists every command', async () => {
    for (const flag of ['--help', '-h', 'help']) {
      const { code, out, err } = await call(flag)
      expect([code, err]).toEqual([0, ''])
      for (const name of Object.keys(COMMANDS)) expect(out).toMatch(new RegExp(`^  ${name} +\\w`, 'm'))
    }
  })

  it.each(Object.keys(COMMANDS))('of %s names every flag and gives examples', async name => {
    const { code, out } = await call(name, '--help')
    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`^opswire ${name}`))
    expect(out).toMatch(/Examples:\n(?: {2}# .*\n)? {2}.*opswire /)
    expect(await call('help', name)).toEqual({ code, out, err: '' })
  })
})

describe('a wrong command line', () => {
  it.each([
    [[], 'say what to do'],
    [['chekc'], 'unknown command "chekc"; did you mean check?'],
    [['frobnicate'], 'unknown command "frobnicate"; there is '],
    [['--verbose'], 'unknown flag "--verbose"; there is '],
    [['help', 'chekc'], 'unknown command "chekc"; did you mean check?'],
    [['check'], 'missing: -c FILE'],
    [['check', '-c'], '-c needs a value: -c FILE'],
    [['check', '-c', '--json'], '-c needs a value: -c FILE'],
    [['check', '--confg', 'x'], 'unknown flag --confg; did you mean --config?'],
    [['check', '-c', 'a', '-c', 'b'], '--config is given twice'],
    [['check', '-c', 'a', '--json=yes'], '--json takes no value'],
    [['check', '-c', 'a', 'b'], 'unexpected "b"'],
    [['version', '--json'], 'unknown flag --json'],
    [['config'], 'say which: example, schema, show'],
    [['config', 'shwo'], 'unknown "shwo"; did you mean show?'],
    [['config', 'show', 'x', '-c', 'a'], 'unexpected "x"'],
    [['config', 'show'], 'missing: -c FILE'],
    [['config', 'example', '--json'], '--json belongs to config show'],
    [['status', '--url', 'http://['], '--url: "http://[" is not a URL'],
  ])('%j is refused with 64', async (argv, message) => {
    const { code, out, err } = await call(...argv)
    expect([code, out]).toEqual([64, ''])
    expect(err).toContain(message)
    expect(err).toMatch(/--help tells more\.\n$/)
  })
})

describe('version', () => {
  it('is that of package.json', async () => {
    const { version } = JSON.parse(readFileSync(join(MAIN, '..', '..', 'package.json'), 'utf8')) as { version: string }
    const { code, out } = await call('version')
    expect([code, out]).toEqual([
      0,
      `opswire ${version} (Node ${process.version}, ${process.platform} ${process.arch})\n`,
    ])
    expect((await call('--version')).out).toBe(out)
  })
})

describe('check', () => {
  it('tells what the daemon would do with a good config, and warnings', async () => {
    const { code, out, err } = await call('check', '-c', GOOD)
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain(`${GOOD} is good. The daemon would\n`)
    expect(out).toContain('  watch fabric-a  apic  https://apic1.example.net, https://apic2.example.net\n')
    expect(out).toContain('object uni/tn-prod with its subtree (fvAEPg, fvBD)\n')
    expect(out).toContain('  publish to nats://127.0.0.1:4222, stream OPSWIRE on opswire.> (created when missing)\n')
    expect(out).toMatch(/^\d warnings$/m)
  })

  it('tells every problem of a bad one, exit 78', async () => {
    const { code, out, err } = await call('check', '-c', BAD)
    expect([code, err]).toEqual([78, ''])
    expect(out).toContain(`${BAD}:2:15: log.level: must be one of trace, debug, info, warn, error; got "loud"\n`)
    expect(out).toMatch(/\n\n\d+ problems\n$/)
  })

  it('tells both as JSON', async () => {
    const bad = await call('check', '--json', '-c', BAD)
    expect(bad.code).toBe(78)
    const document = JSON.parse(bad.out) as { valid: boolean; problems: unknown[] }
    expect(document.valid).toBe(false)
    expect(document.problems).toContainEqual({
      code: 'unknown_key',
      path: 'sources[0].usrname',
      line: 7,
      column: 5,
      message: 'unknown key; did you mean username?',
      nearest: 'username',
      allowed: expect.arrayContaining(['controllers', 'username']),
    })
    const good = await call('check', `--config=${GOOD}`, '--json')
    expect(good.code).toBe(0)
    expect(JSON.parse(good.out)).toMatchObject({ file: GOOD, valid: true, problems: [] })
  })

  it('is coloured on a terminal, unless NO_COLOR says not to', async () => {
    const run = async (env: Record<string, string>, isTty: boolean): Promise<string> => {
      const { io, out } = captured({ env, isTty })
      await main(['check', '-c', GOOD], io)
      return out()
    }
    expect(await run({}, true)).toContain('\u001b[')
    expect(await run({ NO_COLOR: '' }, true)).toContain('\u001b[')
    expect(await run({ NO_COLOR: '1' }, true)).not.toContain('\u001b')
    expect(await run({}, false)).not.toContain('\u001b')
  })
})

describe('config', () => {
  it('example prints a config that loads', async () => {
    const { code, out } = await call('config', 'example')
    expect(code).toBe(0)
    expect((await parseConfig(out, 'example')).config.sources).toHaveLength(1)
  })

  it('schema prints JSON Schema', async () => {
    expect(JSON.parse((await call('config', 'schema')).out)).toMatchObject({
      type: 'object',
      additionalProperties: false,
    })
  })

  it('show prints values with their origin', async () => {
    const { io, out } = captured({ env: { OPSWIRE_LOG__LEVEL: 'warn' } })
    expect(await main(['config', 'show', '-c', GOOD], io)).toBe(0)
    expect(out()).toMatch(/^ {2}level: warn +# \$OPSWIRE_LOG__LEVEL$/m)
    expect(out()).toMatch(/^ {4}fallback_domain: false +# default$/m)
    const json = JSON.parse((await call('config', 'show', '-c', GOOD, '--json')).out) as unknown[]
    expect(json).toContainEqual({ path: 'shutdown_timeout', value: '10s', origin: { line: 2, column: 19 } })
  })

  it('show tells a bad config on stderr, exit 78', async () => {
    const { code, out, err } = await call('config', 'show', '-c', BAD)
    expect([code, out]).toEqual([78, ''])
    expect(err).toContain('log.level: must be one of')
    expect((await call('config', 'show', '-c', '/no/such.yaml')).err).toBe(
      '/no/such.yaml: no such file; "opswire config example" prints one to start from\n',
    )
  })
})

describe('the process', () => {
  const start = (...argv: string[]) => spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })

  it('ends with the exit code of the command, what it prints whole', async () => {
    const child = start('check', '-c', BAD)
    const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number]>])
    expect(code).toBe(78)
    expect(out).toMatch(/problems\n$/)
  })

  it('ends with 0 when a page that is watched is stopped', async () => {
    const child = start('status', '--watch', '--url', 'http://127.0.0.1:1')
    child.stderr.once('data', () => child.kill('SIGINT'))
    const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'close') as Promise<[number]>])
    expect([code, err]).toEqual([0, expect.stringContaining('nothing listens at http://127.0.0.1:1')])
  })

  /** A command that throws this. */
  const breaking = (error: Error): Pick<Captured, 'io' | 'err'> => {
    const { io, err } = captured()
    const broken = {
      ...io,
      get stdout(): never {
        throw error
      },
    }
    return { io: broken, err }
  }

  it('ends with 70 for a bug, with the stack and the wish to be told of it', async () => {
    const { io, err } = breaking(new TypeError('not thought of'))
    expect(await main(['version'], io)).toBe(70)
    expect(err()).toMatch(/^opswire: this should not happen; please report it\nTypeError: not thought of\n +at /)
  })

  it('shows a bug whose words come from elsewhere as text and nothing else, without what looks like a secret', async () => {
    const { io, err } = breaking(
      new TypeError('no \u001b[2J\u202E\nopswire: all is well, https://svc:hush@host and password=hush'),
    )
    expect(await main(['version'], io)).toBe(70)
    expect(err()).toMatch(
      /\nTypeError: no {1,2}\[2J\n {4}opswire: all is well, https:\/\/\*{8}@host and password=\*{8}\n {4}at /,
    )
    expect(err().replaceAll('\n', '')).not.toMatch(/\p{Cc}|\p{Cf}/u)
  })

  it('shows what a system said as one line of text', async () => {
    const { io, err } = breaking(new Retryable('unreachable', 'it said \u001b[2J\u202E\nopswire: all is well'))
    expect(await main(['version'], io)).toBe(69)
    expect(err()).toBe('opswire: it said  [2J opswire: all is well\n')
  })

  it('ends cleanly when its reader leaves', async () => {
    const child = start('config', 'schema')
    child.stdout.destroy()
    const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'close') as Promise<[number]>])
    expect([code, err]).toEqual([0, ''])
  })
})
