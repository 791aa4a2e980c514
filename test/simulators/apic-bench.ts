/** Controllers and clients of one test file, closed after each test. */
import { afterEach, beforeAll } from 'vitest'
import {
  type ApicSimulator,
  type ApicSimulatorOptions,
  startApicSimulator,
} from '../../src/simulators/apic/controller.ts'
import { type Certificate, makeCertificate } from '../../src/simulators/server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { Client } from './apic-client.ts'

export interface Bench {
  readonly certificate: Certificate
  /** Closes this after the test, before what was opened earlier. */
  closing(one: { close(): void | Promise<void> }): void
  /** A controller on a hand-turned clock, without the login throttle unless asked for, and a client that has not logged in. */
  start(
    options?: Partial<ApicSimulatorOptions>,
  ): Promise<{ readonly clock: ManualClock; readonly sim: ApicSimulator; readonly client: Client }>
}

/** Call once, at the top of a test file. */
export function apicBench(): Bench {
  let certificate: Certificate | undefined
  const open: { close(): void | Promise<void> }[] = []
  beforeAll(async () => {
    certificate = await makeCertificate()
  })
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close()
  })
  const made = (): Certificate => {
    if (certificate === undefined) throw new Error('the certificate is made before the first test')
    return certificate
  }
  return {
    get certificate() {
      return made()
    },
    closing: one => open.push(one),
    async start(options = {}) {
      const clock = new ManualClock()
      const certificate = made()
      const loginsPerSecond = Number.POSITIVE_INFINITY
      const sim = await startApicSimulator({ time: clock, certificate, loginsPerSecond, ...options })
      const client = new Client(sim, certificate.cert)
      open.push(sim, client)
      return { clock, sim, client }
    },
  }
}
