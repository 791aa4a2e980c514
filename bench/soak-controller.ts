/**
 * A simulated controller in a process of its own, with many tenants to subscribe to and a latency before every answer.
 * Ends with the process that started it. Arguments: key file, certificate file, ms of latency, number of tenants.
 */
import { readFileSync } from 'node:fs'
import { systemClock } from '../src/scheduler/clock.ts'
import { startApicSimulator } from '../src/simulators/apic/controller.ts'
import type { ControllerHears, ControllerReport, ControllerSays } from './messages.ts'

const [keyFile = '', certificateFile = '', latency = '', tenants = ''] = process.argv.slice(2)

const simulator = await startApicSimulator({
  time: systemClock,
  certificate: { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certificateFile, 'utf8') },
  users: [{ name: 'bench', password: 'bench' }],
  refreshTimeoutSeconds: 300,
  knobs: { latencyMs: Number(latency) },
})
for (let n = 1; n <= Number(tenants); n++) simulator.post('uni', { fvTenant: { attributes: { name: `${n}` } } })
// Runs of hours: what is counted is counted in the record's tallies.
simulator.record.keepRequests = 1000

function report(): ControllerReport {
  const { record } = simulator
  const { subscriptions, sessions, logins } = record
  const requests = record.requestCount()
  return {
    alive: simulator.subscriptionIds.length,
    made: subscriptions.length,
    lapses: record.lapses.length,
    lapsedSessions: record.lapsedSessions.length,
    refusedRefreshes: record.refusedRefreshes.length,
    sessions: sessions.length,
    logins: logins.length,
    firstLoginAt: logins[0]?.at ?? Number.NaN,
    lastMadeAt: subscriptions.at(-1)?.createdAt ?? Number.NaN,
    requests,
    busiestSecond: record.busiestSecond(),
    refused: requests - record.answerCount(200) - record.inService,
    widestGapMs: record.widestRefreshGap(systemClock.wall()),
  }
}

const tell = (message: ControllerSays): void => {
  process.send?.(message)
}
process.on('message', message => {
  if ((message as ControllerHears).ask === 'report') tell({ say: 'report', ...report() })
})
// Whoever started it is gone.
process.on('disconnect', () => process.exit(0))
tell({ say: 'listening', url: simulator.url })
