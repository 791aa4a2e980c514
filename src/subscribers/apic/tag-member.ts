/** One object that carries a tag: a subscription of its own, told and shown under the name of the tag. */
import type { SubscriptionConfig } from '../../config/query.ts'
import { gapFact } from '../../event.ts'
import type { Cursor } from '../../record.ts'
import type { Happening } from '../../report.ts'
import type { Core } from './core.ts'
import { type Dispatch, Feed } from './feed.ts'
import type { Item } from './outbox.ts'
import type { Query } from './query.ts'
import { moTarget } from './raw-query.ts'
import { coverage, membership } from './yields.ts'

export type MemberState = Extract<Happening, { type: 'feed_state' }>

export interface MemberOptions {
  readonly core: Core
  readonly dispatch: Dispatch
  /** The tag's. */
  readonly query: Query
  readonly subscription: SubscriptionConfig
  readonly dn: string
  /** What is committed for it; undefined: it is seen for the first time. */
  readonly cursor: Cursor | undefined
  readonly onState: (state: MemberState) => void
  readonly onProof: () => void
  /** True for the first gap of an outage: one hole of a tag is one gap, however many objects carry it. */
  readonly isFirstGap: () => boolean
}

export interface Member {
  readonly feed: Feed
  /** Resolves when its subscription is given up and all of it is said. */
  end(): Promise<void>
}

/** The name of a member's feed, within the session only. */
export function memberName(tag: string, dn: string): string {
  return `${tag}/${dn}`
}

/** The tag's question, put to one object. Throws `Unaskable` for a dn that would not arrive as written. */
export function memberQuery(query: Query, dn: string): Query {
  const target = moTarget(dn)
  const options = new Map(query.options)
  return {
    ...query,
    path: `/api/${target.path}`,
    name: memberName(query.name, dn),
    yields: membership(target, options),
    covers: coverage(target, options),
    meet: () => undefined,
  }
}

/** Starts to follow an object. Throws as `memberQuery` does. */
export function follow(options: MemberOptions): Member {
  const { core, dispatch, query, subscription, dn } = options
  const over = new AbortController()
  const own = memberQuery(query, dn)
  const view: Core = {
    ...core,
    signal: AbortSignal.any([core.signal, over.signal]),
    cursor: () => options.cursor,
    report: happening => report(core, query.name, options, happening),
    outbox: {
      add: (_feed, item) => add(core, query.name, item, options),
      room: () => core.outbox.room(),
      flushed: () => core.outbox.flushed(query.name),
      // The session's goes on when only this one ends.
      end: () => (core.signal.aborted ? core.outbox.end() : core.outbox.flushed(query.name)),
    },
  }
  const feed = new Feed(view, dispatch, own, subscription)
  const running = feed.run()
  return {
    feed,
    end: () => {
      over.abort()
      return running
    },
  }
}

/** Its cursor is part of the tag's, and so is what it says of holes. */
function add(core: Core, tag: string, item: Item | undefined, { isFirstGap }: MemberOptions): void {
  const gap = item?.fact?.data.gap
  if (item === undefined) return
  if (gap === undefined) core.outbox.add(tag, item)
  // One that comes with an object speaks of that object alone.
  else if (item.mirror !== undefined || isFirstGap()) {
    core.outbox.add(tag, { ...item, fact: gapFact(core.source, { ...gap, feed: tag }) })
  }
}

function report(core: Core, tag: string, { onState, onProof }: MemberOptions, happening: Happening): void {
  if (happening.type === 'feed_state') onState(happening)
  else if (happening.type === 'feed_proof') onProof()
  else if ('feed' in happening) {
    if (happening.type !== 'feed_mode') core.report({ ...happening, feed: tag })
  } else core.report(happening)
}
