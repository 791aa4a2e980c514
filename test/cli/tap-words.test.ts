/** What `opswire tap` says when the server ends the connection: the server's own words are in it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterEach, describe, expect, it } from 'vitest'
import { main } from '../../src/main.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { until } from '../support/manual-clock.ts'
import { NEWEST, natsBinary, OLDEST } from '../support/nats.ts'
import { type Captured, captured } from './captured-io.ts'

const over: (() => unknown)[] = []

afterEach(async () => {
  for (const close of over.splice(0).reverse()) await close()
})

/** A server with the stream and the token `one`, and a tap of it. */
async function follow(
  version: string,
  skip: (note: string) => never,
): Promise<{ nats: RunningNats; tap: Captured; end: () => Promise<number> }> {
  const directory = mkdtempSync(join(tmpdir(), 'opswire-tap-'))
  over.push(() => rmSync(directory, { recursive: true, force: true }))
  const config = 'authorization { token: "one" }'
  const nats = await startNatsServer({ binary: await natsBinary(version, skip), config })
  over.push(() => nats.remove())
  const connection = await connect({ servers: nats.url, token: 'one' })
  await (await jetstreamManager(connection)).streams.add({ name: 'OPSWIRE', subjects: ['opswire.>'] })
  await connection.close()
  const [file, token] = [join(directory, 'opswire.yaml'), join(directory, 'token')]
  writeFileSync(token, 'one')
  writeFileSync(
    file,
    `nats: { servers: ["${nats.url}"], token_file: "${token}" }
sources:
  - { name: cloud, kind: vcd, url: "https://v", org: System, api_token_file: /t }
`,
  )
  const ending = new AbortController()
  const tap = captured({ signal: ending.signal, stderrIsTty: true })
  const ended = main(['tap', '-c', file], tap.io)
  const end = (): Promise<number> => {
    ending.abort()
    return ended
  }
  over.push(end)
  return { nats, tap, end }
}

describe.each([NEWEST, OLDEST])('nats-server %s', version => {
  it('the connection is ended: with why', async ({ skip }) => {
    const { nats, tap, end } = await follow(version, skip)
    await until(() => tap.err().includes('following stream'), 'it follows')
    await nats.reload('authorization { token: "another" }')
    await until(() => tap.err().includes('trying again'), 'it is told')
    expect(tap.err()).toMatch(/the connection to NATS is gone: .*auth.*; trying again/i)
    expect(await end()).toBe(0)
  })
})
