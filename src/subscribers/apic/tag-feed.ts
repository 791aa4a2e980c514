/**
 * A subscription by tag: every object that carries it is followed by a subscription of its own, as they come and go. What
 * a real APIC would push for a subscription to `/api/tag/NAME` is not known, so that is only ever asked, never subscribed to.
 */
import { codeOf, describe, Fatal } from '../../errors.ts'
import type { FeedState } from '../../report.ts'
import { isSessionError } from './client.ts'
import type { Core } from './core.ts'
import { depart } from './departure.ts'
import type { Dispatch, Feed } from './feed.ts'
import type { FeedPlan } from './feeds.ts'
import { askPatiently } from './patient.ts'
import { queryUrl } from './query.ts'
import { follow, type Member, type MemberState, memberName, memberQuery } from './tag-member.ts'
import { withAdvice } from './tag-watch.ts'

export class TagFeed {
  readonly #core: Core
  readonly #dispatch: Dispatch
  readonly #plan: FeedPlan
  /** All of the session: what reads find is their news as well. */
  readonly #feeds: Feed[]
  readonly #tag: string
  readonly #members = new Map<string, Member>()
  readonly #states = new Map<string, MemberState>()
  readonly #settled = Promise.withResolvers<void>()
  /** Members as they were committed, less those that left since, and until when nothing of them was missing. */
  readonly #committed: Set<string>
  readonly #committedMs: number | undefined
  /** What carries the tag as far as is known, followed or not. */
  #carriers = new Set<string>()
  /** What lost the tag, until that is told. It stays committed as a member: a start after a kill asks again. */
  readonly #leaving = new Map<string, 'asking' | 'failed'>()
  /** For each question that is under way what was pushed since it was asked: that is the later news. */
  readonly #pushed = new Set<Map<string, boolean>>()
  readonly #beyond = new Set<string>()
  /** Why nobody hears of tags, and why the tag can't be asked for; undefined while all is well. */
  #deaf: unknown
  #unasked: unknown
  #found = false
  /** All that left before it was found was told. */
  #caughtUp = false
  #contacted: boolean
  #toldGap = false
  #shown = ''
  #endLive: (() => void) | undefined
  #departures: Promise<void> = Promise.resolve()

  constructor(core: Core, dispatch: Dispatch, plan: FeedPlan, feeds: Feed[]) {
    this.#core = core
    this.#dispatch = dispatch
    this.#plan = plan
    this.#feeds = feeds
    this.#tag = plan.query.path.slice('/api/tag/'.length)
    const cursor = core.cursor(this.name)
    this.#contacted = cursor !== undefined
    this.#committed = new Set(namesIn(cursor?.['members']))
    this.#committedMs = typeof cursor?.['provedMs'] === 'number' ? cursor['provedMs'] : undefined
    core.signal.addEventListener('abort', () => this.#settled.resolve(), { once: true })
    this.#show()
  }

  get name(): string {
    return this.#plan.query.name
  }

  /** Resolves when all that carries the tag was live once, or has failed once; with the session at the latest. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  /** True once it is known what carries the tag, and what left before was told. */
  get isFound(): boolean {
    return this.#caughtUp
  }

  /** Somebody hears of tags from now on. Resolves as `resolve`. */
  async hears(signal: AbortSignal): Promise<boolean> {
    this.#deaf = undefined
    return this.resolve(signal)
  }

  /**
   * Asks what carries the tag, and follows that. Resolves with whether it was as pushes had told. A question that is refused
   * is this tag's trouble; rejects with what ends the session, and with the signal's reason.
   */
  async resolve(signal: AbortSignal): Promise<boolean> {
    const pushed = new Map<string, boolean>()
    this.#pushed.add(pushed)
    let names: Set<string>
    try {
      const url = queryUrl({ path: this.#plan.query.path, options: [] }, this.#core.config.format)
      const answer = await askPatiently(this.#core, url, 'query', signal)
      names = new Set(answer.objects.flatMap(({ attributes: { dn } }) => (dn === undefined || dn === '' ? [] : [dn])))
    } catch (error) {
      signal.throwIfAborted()
      if (isSessionError(error)) throw error
      this.#unasked = withAdvice(this.#tag, error)
      this.#show()
      return true
    } finally {
      this.#pushed.delete(pushed)
    }
    for (const [dn, there] of pushed) {
      if (there) names.add(dn)
      else names.delete(dn)
    }
    const followed = new Set(this.#found ? this.#members.keys() : this.#committed)
    const before = this.#found ? this.#carriers : followed
    this.#unasked = undefined
    this.#beyond.clear()
    this.#carriers = names
    // Of too many the same ones each time: those that are followed, then by name.
    const ranked = [...names].sort((a, b) => Number(followed.has(b)) - Number(followed.has(a)) || (a < b ? -1 : 1))
    for (const dn of ranked) this.#join(dn)
    for (const [dn, state] of this.#leaving) if (state === 'failed') followed.add(dn)
    for (const dn of followed) if (!names.has(dn)) this.#leave(dn, 'resync')
    const asPushed = before.symmetricDifference(names).size === 0
    this.#found = true
    await Promise.all([this.#departures, ...[...this.#members.values()].map(({ feed }) => feed.settled)])
    this.#caughtUp = true
    this.#commit()
    this.#show()
    return asPushed
  }

  /** An object got or lost a tag. */
  heard(tagDn: string, there: boolean): void {
    const end = `/tag-${this.#tag}`
    if (!tagDn.endsWith(end)) return
    const dn = tagDn.slice(0, -end.length)
    for (const pushed of this.#pushed) pushed.set(dn, there)
    if (!this.#found) return
    if (there) {
      this.#carriers.add(dn)
      this.#join(dn)
    } else {
      this.#carriers.delete(dn)
      this.#beyond.delete(dn)
      if (this.#members.has(dn)) this.#leave(dn, 'live')
    }
    this.#commit()
    this.#show()
  }

  lost(error: unknown): void {
    this.#deaf = withAdvice(this.#tag, error)
    this.#toldGap = false
    this.#show()
  }

  /** The controller answered well: of a tag that nothing carries there is no other proof. */
  prove(): void {
    if (this.#endLive === undefined) return
    this.#core.report({ type: 'feed_proof', source: this.#core.source.name, feed: this.name })
  }

  #join(dn: string): void {
    if (this.#members.has(dn)) return
    if (this.#members.size >= this.#core.tuning.mostTagged) {
      this.#beyond.add(dn)
      return
    }
    const { query, subscription } = this.#plan
    const { continuity, report, source } = this.#core
    const isKnown = this.#committed.has(dn) || continuity.isLive(memberName(this.name, dn))
    try {
      const member = follow({
        core: this.#core,
        dispatch: this.#dispatch,
        query,
        // What gets the tag while it is followed enters what is selected, and is told as that.
        subscription: this.#contacted ? { ...subscription, snapshot: 'publish' } : subscription,
        dn,
        cursor: isKnown ? { provedMs: this.#committedMs ?? null } : undefined,
        onState: state => {
          this.#states.set(dn, state)
          this.#show()
        },
        onProof: () => this.prove(),
        isFirstGap: () => {
          const isFirst = !this.#toldGap
          // While all are live there is no outage: each was deaf by itself.
          this.#toldGap = this.#endLive === undefined
          return isFirst
        },
      })
      this.#members.set(dn, member)
      this.#leaving.delete(dn)
      this.#feeds.push(member.feed)
    } catch (error) {
      report({ type: 'advice', source: source.name, text: `${this.name}: ${describe(error)}` })
    }
  }

  #leave(dn: string, origin: 'live' | 'resync'): void {
    const member = this.#members.get(dn)
    this.#members.delete(dn)
    this.#states.delete(dn)
    // What comes back has nothing before it that anybody could have missed.
    this.#committed.delete(dn)
    const at = member === undefined ? -1 : this.#feeds.indexOf(member.feed)
    if (at >= 0) this.#feeds.splice(at, 1)
    const query = member?.feed.query ?? memberQuery(this.#plan.query, dn)
    const isBack = (): boolean => this.#members.has(dn)
    this.#leaving.set(dn, 'asking')
    this.#departures = this.#departures
      .then(() => member?.end())
      .then(() => depart(this.#core, this.name, { query, dn, origin, isBack }))
      .then(() => {
        this.#leaving.delete(dn)
        this.#commit()
      })
      .catch(error => {
        if (this.#core.signal.aborted) return
        // The next question about the tag asks about this one, too.
        if (!isBack()) this.#leaving.set(dn, 'failed')
        const text = `${this.name}: whether ${dn} is gone can't be asked: ${describe(error)}`
        this.#core.report({ type: 'advice', source: this.#core.source.name, text })
      })
  }

  #commit(): void {
    if (!this.#found || this.#core.signal.aborted) return
    const members = JSON.stringify([...this.#members.keys(), ...this.#leaving.keys()])
    this.#core.outbox.add(this.name, undefined, { provedMs: this.#core.fabricNow(), members })
    this.#contacted = true
  }

  /** The state of the tag is the worst of its members'. */
  #show(): void {
    const { report, source, continuity } = this.#core
    const [state, reason, code] = this.#state()
    const shown = `${state} ${reason}`
    if (shown === this.#shown) return
    this.#shown = shown
    if (state === 'live') {
      if (this.#endLive === undefined) {
        const ends = [continuity.watch(this.name), continuity.begin(this.name)]
        this.#endLive = () => {
          for (const end of ends) end()
        }
        this.#core.signal.addEventListener('abort', this.#endLive, { once: true })
      }
      this.#toldGap = false
    } else {
      this.#endLive?.()
      this.#endLive = undefined
    }
    if (state !== 'starting' && state !== 'resyncing') this.#settled.resolve()
    if (reason === undefined) {
      const mode = state === 'live' ? 'push' : 'catching_up'
      report({ type: 'feed_mode', source: source.name, feed: this.name, mode })
    }
    report({
      type: 'feed_state',
      source: source.name,
      feed: this.name,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(code === undefined ? {} : { code }),
    })
    this.prove()
  }

  #state(): readonly [FeedState, string?, ReturnType<typeof codeOf>?] {
    const trouble = this.#unasked ?? this.#deaf
    if (trouble !== undefined) {
      return [trouble instanceof Fatal ? 'disabled' : 'lost', describe(trouble), codeOf(trouble)]
    }
    if (this.#beyond.size > 0) {
      const all = this.#members.size + this.#beyond.size
      const text = `${all} objects carry it, of which ${this.#members.size} are followed: subscribe to their class, or to what they stand below`
      return ['disabled', text, 'too_large']
    }
    const waiting = this.#contacted ? 'resyncing' : 'starting'
    if (!this.#caughtUp) return [waiting]
    for (const worst of ['disabled', 'lost'] as const) {
      const [dn, found] = [...this.#states].find(([, { state }]) => state === worst) ?? []
      if (found !== undefined) return [worst, `${dn}: ${found.reason ?? worst}`, found.code]
    }
    const isLive = [...this.#members.keys()].every(dn => this.#states.get(dn)?.state === 'live')
    return [isLive ? 'live' : waiting]
  }
}

function namesIn(members: unknown): string[] {
  if (typeof members !== 'string') return []
  const names: unknown = JSON.parse(members)
  return Array.isArray(names) ? names.filter(name => typeof name === 'string') : []
}
