/** A process that speaks to systemd as the daemon does: ready, a reload if asked for, one beat of the watchdog, stopping, end. */
import { createNotifier } from '../../src/ops/systemd.ts'
import { sleep, systemClock } from '../../src/scheduler/clock.ts'

const library = process.env['TEST_LIBRARY']
const notifier = createNotifier({
  clock: systemClock,
  healthy: () => true,
  summary: () => '3 of 3 sources up',
  onProblem: text => process.stdout.write(`problem: ${text}\n`),
  ...(library === undefined ? {} : { library }),
})
process.stdout.write(`active: ${notifier.active}\n`)
notifier.ready()
if (process.env['TEST_RELOAD'] !== undefined) {
  notifier.reloading()
  notifier.ready()
}
await sleep(systemClock, Number(process.env['TEST_LIFE_MS'] ?? 0))
notifier.stopping()
await notifier.close()
