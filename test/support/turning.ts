/** Simulated time beside real sockets: the clock is turned by hand, second by second, and the wire gets its turns. */
import { type ManualClock, until } from './manual-clock.ts'

/** So many rounds of the event loop let a request and its answer through on one machine. */
const ROUNDS = 3

/** Turns the clock by so many seconds; larger steps are enough where little happens. */
export async function turn(clock: ManualClock, seconds: number, step = 1): Promise<void> {
  for (let second = 0; second < seconds; second += step) {
    await clock.advance(step * 1000)
    await wire()
  }
}

/** Turns the clock until the probe holds, and gives the simulated seconds that took. Fails when it took more than `most`. */
export async function within(
  clock: ManualClock,
  most: number,
  probe: () => boolean | undefined,
  what: string,
): Promise<number> {
  const start = clock.now()
  for (let second = 0; second < most; second++) {
    if (probe() === true) return (clock.now() - start) / 1000
    await turn(clock, 1)
  }
  // Time is up; the wire and the store of a busy machine may still have to catch up with it.
  await until(() => probe() === true, `within ${most} simulated seconds: ${what}`)
  return (clock.now() - start) / 1000
}

async function wire(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) await new Promise<void>(resolve => setTimeout(resolve, 1))
}
