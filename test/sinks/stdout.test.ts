import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { eventSchema } from '../../src/event-schema.ts'
import type { Receipt } from '../../src/sinks/contract.ts'
import { stdoutSink } from '../../src/sinks/stdout.ts'
import { settle, until } from '../support/manual-clock.ts'
import { numbered } from '../support/nats.ts'

const WRITER = join(import.meta.dirname, '../support/stdout-writer.ts')
const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function writer(count: number) {
  const child = spawn(process.execPath, [WRITER, String(count)], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  const said: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(...text.trim().split('\n')))
  const ended = new Promise<number | null>(resolve => child.once('close', code => resolve(code)))
  return { child, said, ended }
}

describe('the stdout sink', () => {
  it('writes whole lines to a slow reader, and the process turns meanwhile', async () => {
    const { child, said, ended } = writer(3000)
    await until(() => said.includes('up: standard output'), 'it writes')
    // Nobody reads: the pipe fills, the pump stands, the process does not.
    const standing = await until(() => {
      const last = said.slice(-3)
      return last.length === 3 && new Set(last).size === 1 && last[0]?.startsWith('settled') ? last[0] : undefined
    }, 'the pump stands and the process turns')
    expect(Number(standing.split(' ')[1])).toBeLessThan(3000)
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    expect(await ended).toBe(0)
    expect(said.at(-1)).toBe('ended 3000')
    const lines = Buffer.concat(chunks).toString('utf8').split('\n')
    expect(lines.pop()).toBe('')
    const numbers = lines.map(line => Number(eventSchema.parse(JSON.parse(line)).data.code?.slice(1)))
    expect(numbers).toEqual(Array.from({ length: 3000 }, (_, index) => index + 1))
  })

  it('outlives its reader, and says that it has gone', async () => {
    const { child, said, ended } = writer(20_000)
    await until(() => said.includes('up: standard output'), 'it writes')
    child.stdout.destroy()
    expect(await ended).toBe(0)
    expect(said).toContain('down: standard output was closed by its reader: write EPIPE')
    expect(said.some(line => line.startsWith('Error'))).toBe(false)
  })

  it('gives receipts when the stream took the lines, and opens no more once that is gone', async () => {
    const written: (() => void)[] = []
    const stream = new Writable({ highWaterMark: 64, write: (_chunk, _encoding, done) => void written.push(done) })
    const sink = stdoutSink({ stream })
    const receipts: Receipt[] = []
    const lost: Error[] = []
    sink.onSettled(some => receipts.push(...some))
    sink.onLost(reason => lost.push(reason))
    const { signal } = new AbortController()
    await sink.open(signal)
    sink.send([
      { ...numbered(1), seq: 1 },
      { ...numbered(2), seq: 2 },
    ])
    sink.send([{ ...numbered(3), seq: 3 }])
    await settle()
    expect(receipts).toEqual([])
    written[0]?.()
    await settle()
    expect(receipts.map(({ seq, outcome }) => [seq, outcome])).toEqual([
      [1, 'ok'],
      [2, 'ok'],
    ])
    expect(await sink.stored(['x'], 0)).toEqual(new Set())
    stream.destroy(new Error('gone'))
    await settle()
    expect(lost.map(String)).toEqual(['SinkGone: standard output was closed by its reader'])
    await expect(sink.open(signal)).rejects.toThrow('closed by its reader')
    await sink.close()
  })
})
