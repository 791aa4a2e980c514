/** Which subscriptions a session makes: those of the config, and what is watched besides without being published. */
import { hash } from 'node:crypto'
import type { SubscriptionConfig } from '../../config/query.ts'
import type { ApicConfig } from '../../config/sources.ts'
import type { Core } from './core.ts'
import { type Dispatch, Feed } from './feed.ts'
import { buildQueries, buildQuery, type Query, queryUrl } from './query.ts'

/** What an APIC takes an option for that isn't written (guide: query-target, rsp-subtree). */
const DEFAULTS: ReadonlyMap<string, string> = new Map([
  ['query-target', 'self'],
  ['rsp-subtree', 'no'],
])

/** One subscription that every session of a source makes. */
export interface FeedPlan {
  readonly query: Query
  readonly subscription: SubscriptionConfig
  /** Nothing of it is published. */
  readonly hidden: boolean
}

/** True for a subscription to what carries a tag; the tags of one object are a question like any other. */
export function isByTag({ query }: Pick<FeedPlan, 'query'>): boolean {
  return /^\/api\/tag\/[^/]+$/.test(query.path)
}

/** What is subscribed to: the same for every session. Throws `Fatal('config')` for a subscription that can't be asked. */
export function planFeeds(config: ApicConfig): FeedPlan[] {
  const plans: FeedPlan[] = []
  const made = new Set<string>()
  /** A subscription that the config does not name: nothing of it is published. */
  const watch = (name: string, subscription: SubscriptionConfig): void => {
    plans.push({ query: { ...buildQuery(subscription), name }, subscription, hidden: true })
  }
  const subscribe = (subscription: SubscriptionConfig, query: Query): void => {
    // The same question twice in the config is one subscription; a filter that is applied here belongs to it.
    const options = query.options.filter(([name, value]) => DEFAULTS.get(name) !== value)
    const question = JSON.stringify([queryUrl({ ...query, options }, config.format), subscription.filter])
    if (made.has(question)) return
    made.add(question)
    // Cursors go by name: questions that differ only in what the name leaves out must not share one.
    const taken = plans.some(plan => plan.query.name === query.name)
    const name = taken ? `${query.name}~${hash('sha256', question, 'hex').slice(0, 6)}` : query.name
    plans.push({ query: { ...query, name }, subscription, hidden: false })
  }
  // What is too long for one request is several subscriptions, each with a feed of its own.
  for (const subscription of config.subscriptions) {
    for (const query of buildQueries(subscription)) subscribe(subscription, query)
  }
  // Kept for the gauges, told to nobody.
  for (const scope of config.health_scopes) {
    const dn = `${scope}/health`
    if (plans.some(plan => plan.query.covers('healthInst', dn))) continue
    watch(`health/${scope}`, { mo: dn, snapshot: 'mirror' })
  }
  // Without a log class of its own the canary sings on the audit log.
  if (!plans.some(plan => plan.query.logClass !== undefined)) {
    watch('canary/aaaModLR', { class: 'aaaModLR', snapshot: 'mirror' })
  }
  return plans
}

/** The feeds of a session but those by tag, none of them running yet; all are declared. */
export function makeFeeds(core: Core, dispatch: Dispatch, plans: readonly FeedPlan[]): Feed[] {
  const { config, report } = core
  for (const { query } of plans) {
    report({ type: 'feed_declared', source: config.name, feed: query.name, proofBoundMs: proofBoundOf(config, query) })
  }
  return plans.flatMap(plan =>
    isByTag(plan) ? [] : [new Feed(core, dispatch, plan.query, plan.subscription, plan.hidden)],
  )
}

/** How old the last proof of life may be, ms: three canaries for a log class, two reconciles for the others. */
function proofBoundOf(config: ApicConfig, query: Query): number {
  const { canary_interval, reconcile_interval, request_timeout } = config
  return query.logClass === undefined ? 2 * reconcile_interval + request_timeout : 3 * canary_interval + request_timeout
}
