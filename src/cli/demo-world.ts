/** The world that the demo watches: three simulators over TLS, the files that an operator would have, and the config. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../scheduler/clock.ts'
import { type ApicSimulator, startApicSimulator } from '../simulators/apic/controller.ts'
import { runApicLife } from '../simulators/apic/life.ts'
import { runRaasLife } from '../simulators/raas/life.ts'
import { type RaasSimulator, startRaasSimulator } from '../simulators/raas/server.ts'
import { type Certificate, makeCertificate } from '../simulators/server.ts'
import { runVcdLife } from '../simulators/vcd/life.ts'
import { startVcdSimulator, type VcdSimulator } from '../simulators/vcd/simulator.ts'

/** Passwords and tokens of the simulated systems; they open nothing else. */
const SERVICE = { user: 'svc-opswire', password: 'demo-only' }
/** Who makes the changes. */
export const PERSON = { user: 'alice', password: 'demo-alice' }
const ORG = 'acme'
const OWN_TOKEN_ID = '6a0c0c52-0000-4000-8000-0000000000f0'
const BOT_TOKEN_ID = '6a0c0c52-0000-4000-8000-0000000000f1'

/** What `opswire query` can be asked while it runs: one question a system. */
export const QUESTIONS = ['fabric-a class faultInst', 'salt job.get_jobs', 'cloud events --since 1m'] as const

export interface DemoWorld {
  readonly directory: string
  /** Where the config file lies. */
  readonly configFile: string
  readonly configText: string
  readonly apic: ApicSimulator
  readonly raas: RaasSimulator
  readonly vcd: VcdSimulator
  /** Of all three, and the file that `tls.ca_file` names. */
  readonly certificate: Certificate
  /** The systems start to live: every change is made through their own HTTP calls. Resolves when they have stopped. */
  live(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** Starts the simulators and writes the files. `natsUrl` undefined: the config has no `nats:` block. `listen`: HOST:PORT of the daemon, a free one for port 0. */
export async function makeWorld(clock: Clock, natsUrl: string | undefined, listen = '127.0.0.1:0'): Promise<DemoWorld> {
  const certificate = await makeCertificate()
  const directory = mkdtempSync(join(tmpdir(), 'opswire-demo-'))
  const file = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const apic = await startApicSimulator({
    time: clock,
    certificate,
    users: [
      { name: SERVICE.user, password: SERVICE.password, firstName: 'Ops', lastName: 'Wire' },
      { name: PERSON.user, password: PERSON.password, firstName: 'Alice', lastName: 'Adams' },
    ],
  })
  const raas = await startRaasSimulator({
    time: clock,
    certificate,
    users: [
      { username: SERVICE.user, password: SERVICE.password },
      { username: PERSON.user, password: PERSON.password },
    ],
    retrieveAfterMs: 1000,
    missingAfterMs: 4000,
  })
  const vcd = await startVcdSimulator({
    time: clock,
    certificate,
    orgs: [{ name: 'System' }, { name: ORG }],
    users: [
      { name: SERVICE.user, password: SERVICE.password, org: 'System' },
      { name: 'ci-bot', password: PERSON.password, org: ORG },
      { name: PERSON.user, password: PERSON.password, org: ORG },
    ],
    tokens: [
      { secret: 'demo-api-token', id: OWN_TOKEN_ID, user: SERVICE.user, org: 'System', name: 'opswire' },
      { secret: 'demo-bot-token', user: 'ci-bot', org: ORG, name: 'ci-bot', id: BOT_TOKEN_ID },
    ],
  })
  const configText = configOf({
    directory,
    listen,
    natsUrl,
    apicUrl: apic.url,
    raasUrl: raas.url,
    vcdUrl: vcd.url,
    caFile: file('ca.pem', certificate.cert),
    passwordFile: file('password', SERVICE.password),
    tokenFile: file('api-token', 'demo-api-token'),
    inventoryFile: file('vcd-tokens.yaml', `- { id: ${BOT_TOKEN_ID}, name: ci-bot, owner: ci-bot, org: ${ORG} }\n`),
  })
  return {
    directory,
    configText,
    apic,
    raas,
    vcd,
    certificate,
    configFile: file('opswire.yaml', configText),
    async live(signal) {
      const { user, password } = PERSON
      await Promise.all([
        runApicLife({ url: apic.url, ca: certificate.cert, username: user, password, time: clock, signal }),
        runRaasLife(raas.url, certificate.cert, { username: user, password }, clock, signal),
        runVcdLife(vcd.url, certificate.cert, { org: ORG, apiToken: 'demo-bot-token', user, password }, clock, signal),
      ])
    },
    async close() {
      await Promise.all([apic.close(), raas.close(), vcd.close()])
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

interface ConfigParts {
  readonly directory: string
  readonly listen: string
  readonly natsUrl: string | undefined
  readonly apicUrl: string
  readonly raasUrl: string
  readonly vcdUrl: string
  readonly caFile: string
  readonly passwordFile: string
  readonly tokenFile: string
  readonly inventoryFile: string
}

/** An ordinary config file, as an operator would write it; only the intervals are shorter than usual. */
function configOf(parts: ConfigParts): string {
  const nats = parts.natsUrl === undefined ? '' : `nats:\n  servers: ["${parts.natsUrl}"]\n`
  return `state_dir: ${join(parts.directory, 'state')}
http: { listen: "${parts.listen}" }
${nats}sources:
  - name: fabric-a
    kind: apic
    controllers: ["${parts.apicUrl}"]
    username: ${SERVICE.user}
    password_file: ${parts.passwordFile}
    login_domain: LOCAL
    tls: { ca_file: ${parts.caFile} }
    subscriptions:
      - { class: faultInst, snapshot: publish }
      - { class: eventRecord, backfill: 1h }
      - { class: aaaModLR, backfill: 1h }
      - { class: fvTenant }
      - { mo: uni, query_target: subtree, target_subtree_class: [fvAp, fvAEPg, fvBD] }
      - { class: fabricNode }
      - { tag: demo, query_target: subtree, target_subtree_class: [fvCtx] }
  - name: salt
    kind: raas
    url: ${parts.raasUrl}
    username: ${SERVICE.user}
    password_file: ${parts.passwordFile}
    tls: { ca_file: ${parts.caFile} }
    poll_interval: 1s
    backfill: 1h
  - name: cloud
    kind: vcd
    url: ${parts.vcdUrl}
    org: System
    api_token_file: ${parts.tokenFile}
    tls: { ca_file: ${parts.caFile} }
    poll_interval: 1s
    sweep_interval: 10s
    token_inventory_file: ${parts.inventoryFile}
`
}
