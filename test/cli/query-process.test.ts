/** `opswire query` as a process of its own: signals, readers that leave, and an end in any case. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../support/manual-clock.ts'
import { QueryRig } from './query-rig.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

let rig: QueryRig
afterEach(() => rig.close())

function start(...argv: string[]) {
  return spawn(process.execPath, [MAIN, 'query', '-c', rig.configFile, ...argv], { stdio: ['pipe', 'pipe', 'pipe'] })
}

async function ended(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'close')) as [number | null]
  return code
}

const sessions = (): unknown[] => rig.apic.record.sessions.map(({ endedBy }) => endedBy)

async function tenants(): Promise<void> {
  rig = await QueryRig.make({ apic: {} })
  rig.tenants(2000)
}

describe('the process', () => {
  it('ends by itself, with what was asked on stdout and nothing on stderr', async () => {
    rig = await QueryRig.make({ apic: {} })
    const child = start('fabric-a', 'class', 'fvTenant', '--count')
    const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended(child)])
    expect([code, out, err]).toEqual([0, '3\n', ''])
  })

  it('logs out after Ctrl-C, and says that the answer is not whole', async () => {
    await tenants()
    rig.apic.knobs.latencyOf = { query: 20 }
    const child = start('fabric-a', 'class', 'fvTenant', '--json', '--page-size', '10')
    const err = text(child.stderr)
    await once(child.stdout, 'data')
    child.stdout.resume()
    child.kill('SIGINT')
    expect(await ended(child)).toBe(69)
    expect(await err).toMatch(/^opswire query: fabric-a: interrupted; what was printed \(\d+\) is not all\n$/)
    expect(sessions()).toEqual(['logout'])
  })

  it('does not wait for a goodbye that hangs, when Ctrl-C comes again', async () => {
    await tenants()
    rig.apic.fail({ operation: ['query', 'logout'], failure: { kind: 'hang' } })
    const child = start('fabric-a', 'class', 'fvTenant')
    const err = text(child.stderr)
    child.stdout.resume()
    const asked = (operation: string) => rig.apic.record.requests.some(request => request.operation === operation)
    await until(() => asked('query'), 'the question')
    child.kill('SIGINT')
    await until(() => asked('logout'), 'the goodbye')
    child.kill('SIGINT')
    expect(await ended(child)).toBe(75)
    expect(await err).toBe('opswire query: fabric-a: interrupted\n')
  })

  it('logs out and exits 0 when its reader leaves, as head does', async () => {
    await tenants()
    const child = start('fabric-a', 'class', 'fvTenant', '--json', '--page-size', '50')
    const err = text(child.stderr)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    expect([await ended(child), await err]).toEqual([0, ''])
    expect(sessions()).toEqual(['logout'])
  })

  it('reads a password from its standard input', async () => {
    rig = await QueryRig.make({ vcd: {} })
    const child = start('cloud', 'tokens', '--login-as', 'root')
    child.stdin.end('marker-person-password\n')
    const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended(child)])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^# API tokens that root sees/)
  })
})
