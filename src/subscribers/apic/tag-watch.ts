/**
 * Which objects carry which tag, told as it changes: an object's tags are its children `DN/tag-NAME` of class `tagInst`
 * (guide: tags), so one subscription of that class hears of all of them. Its filter would eat the deletions; names are
 * read off the DNs instead.
 */
import { describe, Fatal, Retryable } from '../../errors.ts'
import { aborted } from '../../scheduler/clock.ts'
import { supervise } from '../../scheduler/supervise.ts'
import { holdMs } from '../waits.ts'
import { isSessionError, Refused } from './client.ts'
import type { Core } from './core.ts'
import type { Change } from './decode.ts'
import { type Dispatch, REFUSED_HOLD_MS, REMAKE_BACKOFF } from './feed.ts'
import { buildQuery, type Query } from './query.ts'
import { subscribe } from './subscribe.ts'
import { keepSubscription } from './subscription-lease.ts'

const NAME = 'tags/tagInst'

/** Who is told. */
export interface TagListener {
  /** The subscription is there from now on; resolves when what carries each tag was asked for. Rejects with the session's end. */
  made(signal: AbortSignal): Promise<void>
  /** An object got or lost a tag of any name. */
  heard(tagDn: string, there: boolean): void
  /** Nobody hears of tags until the next `made`. */
  lost(error: unknown): void
}

export class TagWatch {
  readonly #core: Core
  readonly #dispatch: Dispatch
  readonly #listener: TagListener
  #lose: ((error: Error) => void) | undefined

  constructor(core: Core, dispatch: Dispatch, listener: TagListener) {
    this.#core = core
    this.#dispatch = dispatch
    this.#listener = listener
  }

  /** Runs until the session is over. Never rejects. */
  async run(): Promise<void> {
    const { clock, signal } = this.#core
    await supervise(
      {
        clock,
        signal,
        backoff: REMAKE_BACKOFF,
        holdMs: error => (error instanceof Refused ? REFUSED_HOLD_MS : holdMs(error)),
        onFailure: error => {
          if (isSessionError(error)) this.#core.fail(error)
          this.#listener.lost(error)
        },
      },
      attempt => this.#attend(() => attempt.alive()),
    )
  }

  /** Makes the subscription anew: it is suspected to be deaf. */
  remake(reason: string): void {
    this.#lose?.(new Retryable('subscription_lost', `${NAME}: ${reason}`))
  }

  async #attend(alive: () => void): Promise<void> {
    const { signal, tuning } = this.#core
    const over = new AbortController()
    const ended = AbortSignal.any([signal, over.signal])
    const lost = Promise.withResolvers<never>()
    lost.promise.catch(() => undefined)
    this.#lose = lost.reject
    let id: string | undefined
    try {
      const made = await subscribe(
        this.#core,
        watchQuery(),
        {
          refreshTimeout: undefined,
          expectId: () => this.#dispatch.expectIds(),
          register: known => {
            id = known
            this.#dispatch.observe(known, changes => this.#hear(changes))
          },
        },
        ended,
      )
      const lease = keepSubscription(this.#core, {
        name: NAME,
        id: made.id,
        lifeMs: tuning.subscriptionLifeMs,
        bornAt: made.askedAt,
        onAlive: alive,
        onLost: error => lost.reject(error),
      })
      ended.addEventListener('abort', () => lease.drop(), { once: true })
      await Promise.race([this.#listener.made(ended), lost.promise])
      alive()
      await Promise.race([lost.promise, aborted(ended)])
    } finally {
      over.abort()
      this.#lose = undefined
      if (id !== undefined) this.#dispatch.unobserve(id)
    }
  }

  #hear(changes: readonly Change[]): void {
    for (const { cls, dn, status } of changes) if (cls === 'tagInst') this.#listener.heard(dn, status !== 'deleted')
  }
}

/** One object is enough: what carries a tag is asked for by its name. */
function watchQuery(): Query {
  const query = buildQuery({ class: 'tagInst' })
  const options = [['page', '0'] as const, ['page-size', '1'] as const]
  return { ...query, name: NAME, options: [...query.options, ...options] }
}

/** What to tell of a release that knows no tags of this kind. */
export function withAdvice(tag: string, error: unknown): Error {
  if (!(error instanceof Refused)) return error instanceof Error ? error : new Retryable('protocol', describe(error))
  const text =
    `tag ${tag}: the controller refuses it; where tags are kept as tagAnnotation, subscribe to ` +
    `{ class: tagAnnotation, filter: { eq: [tagAnnotation.key, ${tag}] } }: ${describe(error)}`
  return new Fatal(error.code, text, { cause: error })
}
