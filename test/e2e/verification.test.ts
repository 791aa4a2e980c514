/** A certificate that nobody checks is told wherever an operator may look: log, metric, status, check. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { main } from '../../src/main.ts'
import { captured } from '../cli/captured-io.ts'
import { Daemon } from '../support/daemon.ts'

const directory = mkdtempSync(join(tmpdir(), 'opswire-test-'))
let daemon: Daemon | undefined

afterEach(async () => {
  daemon?.signal('SIGTERM')
  await daemon?.ended()
  rmSync(directory, { recursive: true, force: true })
})

it('tls.verify: false is loud everywhere; a pinned certificate counts as verified', async () => {
  const source = (name: string, tls: string): string => `
  - name: ${name}
    kind: apic
    controllers: ["https://127.0.0.1:1"]
    username: admin
    password_file: ${join(directory, 'password')}
    tls: ${tls}
    subscriptions: [{ class: faultInst }]`
  const file = join(directory, 'opswire.yaml')
  writeFileSync(join(directory, 'password'), 'secret', { mode: 0o600 })
  writeFileSync(
    file,
    `http: { listen: "127.0.0.1:0" }
sources:${source('checked', '{ verify: true }')}${source('open', '{ verify: false }')}${source(
      'pinned',
      `{ verify: false, fingerprint_sha256: "${'ab'.repeat(32)}" }`,
    )}
`,
  )
  const check = captured({ columns: 200 })
  expect(await main(['check', '-c', file], check.io)).toBe(0)
  expect(check.out()).toMatch(/sources\[1\]\.tls\.verify: .*any certificate is accepted/)
  expect(check.out()).not.toMatch(/sources\[[02]\]\.tls/)

  daemon = new Daemon(file)
  const url = await daemon.start()
  const said = daemon.log.filter(line => line.includes('NOT verified')).map(line => JSON.parse(line))
  expect(said).toEqual([
    expect.objectContaining({
      level: 'warn',
      source: 'open',
      msg: expect.stringMatching(/^open: .*NOT verified.*set tls\.ca_file or tls\.fingerprint_sha256$/),
    }),
  ])
  const page = await (await fetch(`${url}/metrics`)).text()
  expect(page.match(/^opswire_tls_verified\{.*$/gm)).toEqual([
    'opswire_tls_verified{source="checked"} 1',
    'opswire_tls_verified{source="open"} 0',
    'opswire_tls_verified{source="pinned"} 1',
  ])
  const { sources } = await daemon.status(url)
  expect(sources.map(one => one.tlsVerified)).toEqual([true, false, true])
  const status = captured({ columns: 200 })
  expect(await main(['status', '--url', url], status.io)).toBe(0)
  expect(status.out().match(/NOT verified.*/g)).toEqual([
    expect.stringMatching(/set tls\.ca_file or tls\.fingerprint_sha256$/),
  ])
  expect(status.out()).toMatch(/^open .*\n {2}the certificate is NOT verified/m)
})
