/** `POST /-/replay`, as the HTTP endpoint asks it. */
import { codeOf, describe } from '../errors.ts'
import type { ActAnswer, LinesAnswer } from '../ops/http-act.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Replayer } from './replayer.ts'
import { readWish, type Summary } from './wish.ts'

/** `signal` aborts when the one who asked goes away: that cancels it. */
export function answerReplay(
  replayer: Replayer | undefined,
  body: unknown,
  signal: AbortSignal,
  clock: Clock,
): ActAnswer | LinesAnswer {
  const refused = (status: number, problem: string): ActAnswer => ({ status, body: { problem } })
  if (replayer === undefined) return refused(503, 'the daemon is still starting')
  if (replayer.isClosed) return refused(503, 'the daemon is stopping')
  const wish = readWish(body, clock.wall())
  if (typeof wish === 'string') return refused(400, wish)
  const other = (): string | undefined => {
    const { busy } = replayer
    return busy === undefined || wish.what === 'list' ? undefined : `a replay is under way: ${busy}`
  }
  const inTheWay = other()
  if (inTheWay !== undefined) return refused(409, inTheWay)
  let problem: string | undefined
  try {
    problem = replayer.refusal(wish)
  } catch (error) {
    return refused(503, `${codeOf(error)}: ${describe(error)}`)
  }
  if (problem !== undefined) return refused(422, problem)
  return {
    status: 200,
    async lines(tell) {
      // Another one that was asked for in the same breath, down the same connection, may have begun since.
      const reason = other()
      if (reason !== undefined) {
        await tell({
          type: 'end',
          outcome: 'failed',
          sources: [],
          error: { code: 'unreachable', reason },
        } satisfies Summary)
        return
      }
      await tell(await replayer.run(wish, signal, tell))
    },
  }
}
