/** `opswire query` to VMware Cloud Director: events, organisations, versions, and whose API tokens there are. */
import { mkdirSync } from 'node:fs'
import type { VcdConfig } from '../config/sources.ts'
import { codeOf, describe } from '../errors.ts'
import { counted } from '../ops/amounts.ts'
import { type Inventory, InventoryFile, inventoryText } from '../subscribers/vcd/inventory.ts'
import { type EventsQuestion, VcdQuestions } from '../subscribers/vcd/questions.ts'
import { isObject, lastSegment } from '../subscribers/vcd/row.ts'
import { UsageError } from './io.ts'
import { passwordFor } from './password.ts'
import type { Asking, Question } from './query.ts'
import type { Row } from './rows.ts'
import { hintOf, timeOf } from './values.ts'

const WHAT = ['events', 'orgs', 'versions', 'tokens'] as const
type What = (typeof WHAT)[number]

/** Which flags belong to which question. */
const FLAGS: Readonly<Record<string, What>> = {
  filter: 'events',
  since: 'events',
  until: 'events',
  'login-as': 'tokens',
  'password-file': 'tokens',
}

/** Without `--since` events of so long are shown, ms: the whole trail is months. */
const USUAL_MS = 24 * 3_600_000
/** Rows that are shown at once: the first of them decide on the columns. */
const TOGETHER = 128

const EVENT_COLUMNS = ['time', 'status', 'event', 'entity', 'user', 'org', 'address', 'token']

/** Checks what is asked. Throws `UsageError`. */
export function vcdQuestion(config: VcdConfig, asking: Asking): Question {
  const { given, words } = asking
  const what = wanted(words)
  for (const flag of given.flags) {
    const owner = FLAGS[flag]
    if (owner !== undefined && owner !== what)
      throw new UsageError(`--${flag} belongs to ${owner}, not ${what}`, 'query')
  }
  if (what === 'events') {
    const question = eventsQuestion(asking)
    return async () => {
      // As the daemon does it: an event shows its token by the name that the inventory has for it.
      const names = new InventoryFile(config.token_inventory_file)
      await names.refresh(asking.note)
      await visiting(config, asking, questions => events(questions, question, names.current, asking))
    }
  }
  if (what === 'tokens') {
    const user = given.text('login-as')
    if (user === undefined) {
      throw new UsageError(
        'an API-token session cannot list tokens: say --login-as USER, someone who may see them, and give the password when asked',
        'query',
      )
    }
    for (const flag of ['json', 'columns', 'limit', 'count']) {
      if (given.has(flag))
        throw new UsageError(`--${flag}: tokens prints an inventory, the YAML of token_inventory_file`, 'query')
    }
    return () => visiting(config, asking, questions => tokens(questions, user, asking))
  }
  return () => visiting(config, asking, questions => (what === 'orgs' ? orgs : versions)(questions, asking))
}

function wanted([word, extra]: readonly string[]): What {
  if (word === undefined) throw new UsageError(`say what to ask: ${WHAT.join(', ')}`, 'query')
  if (extra !== undefined) throw new UsageError(`unexpected "${extra}"`, 'query')
  // The guide's own line: GET https://host_name/api/org
  const path = word
    .trim()
    .replace(/^GET\s+/i, '')
    .replace(/^https?:\/\/[^/]+/i, '')
    .replace(/\/$/, '')
  const found = path === '/api/org' ? 'orgs' : path === '/api/versions' ? 'versions' : WHAT.find(one => one === word)
  if (found === undefined) throw new UsageError(`unknown "${word}"${hintOf(word, WHAT)}`, 'query')
  return found
}

async function visiting(
  config: VcdConfig,
  { clock, report, signal, stateDir }: Asking,
  ask: (questions: VcdQuestions) => Promise<void>,
): Promise<void> {
  // A token that rotates is kept there: the daemon need not have run yet. Whatever is wrong with it, the lock will tell.
  if (stateDir !== undefined) makeDirectory(stateDir)
  const questions = new VcdQuestions(config, { clock, report, signal, stateDir })
  try {
    await ask(questions)
  } finally {
    await questions.close()
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch {
    // It is there already, most of the time.
  }
}

function eventsQuestion({ given, clock }: Asking): EventsQuestion {
  const fromMs = timeOf(given, 'since', clock) ?? clock.wall() - USUAL_MS
  const untilMs = timeOf(given, 'until', clock)
  if (untilMs !== undefined && untilMs <= fromMs) {
    const since = given.has('since') ? '--since' : '--since (24h ago unless it is given)'
    throw new UsageError(`--until must be later than ${since}`, 'query')
  }
  return { fromMs, untilMs, filter: given.text('filter'), newestFirst: true }
}

async function events(
  questions: VcdQuestions,
  question: EventsQuestion,
  names: Inventory,
  asking: Asking,
): Promise<void> {
  const { given, most } = asking
  const rows = asking.rows(() => EVENT_COLUMNS)
  if (given.has('count')) return rows.say([String(await refusing(question, () => questions.count(question)))])
  let held: Row[] = []
  await refusing(question, async () => {
    for await (const event of questions.events(question)) {
      held.push(eventRow(event, names))
      if (held.length + rows.shown >= most) break
      if (held.length < TOGETHER) continue
      await rows.print(held)
      rows.progress(`${rows.shown} events …`)
      held = []
    }
  })
  await rows.print(held)
  const limit = rows.shown >= most ? ', the newest (--limit)' : ''
  const span = given.has('since') ? '' : ', of the last 24 h (--since for more)'
  await rows.total(`${counted(rows.shown, 'event')}${limit || span}`)
}

/** A filter that the cell refuses is the question's mistake, not the config's. */
async function refusing<T>({ filter }: EventsQuestion, task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (error) {
    const text = describe(error)
    if (filter === undefined || codeOf(error) !== 'config' || !text.includes('refused the filter')) throw error
    throw new UsageError(`--filter: ${text}`, 'query')
  }
}

async function orgs(questions: VcdQuestions, asking: Asking): Promise<void> {
  const rows = asking.rows(() => ['name', 'id', 'href'])
  const found = await questions.orgs()
  if (asking.given.has('count')) return rows.say([String(found.length)])
  await rows.print(found.map(({ name, id, href }) => ({ json: { name, id, href }, cells: { name, id, href } })))
  await rows.total(counted(rows.shown, 'organisation'))
}

async function versions(questions: VcdQuestions, asking: Asking): Promise<void> {
  const rows = asking.rows(() => ['version', 'deprecated', 'spoken'])
  const { offered, chosen } = await questions.versions()
  if (asking.given.has('count')) return rows.say([String(offered.length)])
  await rows.print(
    offered.map(({ version, deprecated }) => {
      const spoken = version === chosen
      const cells = { version, deprecated: deprecated ? 'yes' : '', spoken: spoken ? 'by opswire' : '' }
      return { json: { version, deprecated, spoken }, cells }
    }),
  )
  await rows.total(`${counted(rows.shown, 'version')}; opswire speaks ${chosen}`)
}

async function tokens(questions: VcdQuestions, user: string, asking: Asking): Promise<void> {
  const password = await passwordFor(user, asking.given.text('password-file'), asking)
  const found = await questions.tokens({ user, password })
  const rows = asking.rows(() => [])
  if (found.length === 0) asking.note(`${user} sees no API tokens`)
  else {
    const more = 'with the right "Manage all users\' API tokens" it would be those of all users of its organisation'
    const owners = new Set(found.map(token => token.owner))
    if (owners.size === 1 && owners.has(user.replace(/@[^@]*$/, '')))
      asking.note(`these are ${user}'s own tokens; ${more}`)
  }
  const head = [
    `# API tokens that ${user} sees, for token_inventory_file. An id is no secret; the tokens themselves are not shown.`,
  ]
  await rows.say([...head, ...inventoryText(found).trimEnd().split('\n')])
}

function eventRow(event: unknown, names: Inventory): Row {
  if (!isObject(event)) return { json: event, cells: { event: JSON.stringify(event) } }
  const more = isObject(event['additionalProperties']) ? event['additionalProperties'] : {}
  const token_id = lastSegment(textIn(more, 'currentContext.refreshTokenId'))
  const cells = {
    time: textIn(event, 'timestamp'),
    status: textIn(event, 'eventStatus'),
    event: textIn(event, 'eventType').replace('com/vmware/vcloud/event/', ''),
    entity: nameIn(event, 'eventEntity'),
    user: nameIn(event, 'user'),
    org: nameIn(event, 'operatingOrg'),
    address: textIn(more, 'currentContext.user.clientIpAddress'),
    token: names.get(token_id)?.name ?? token_id,
    token_id,
    description: textIn(event, 'description'),
    id: textIn(event, 'eventId'),
    task: textIn(event, 'taskId'),
    session: textIn(more, 'user.session.id'),
  }
  return { json: event, cells }
}

function textIn(object: Readonly<Record<string, unknown>>, key: string): string {
  const value = Object.hasOwn(object, key) ? object[key] : undefined
  return typeof value === 'string' ? value : ''
}

function nameIn(object: Readonly<Record<string, unknown>>, key: string): string {
  const value = object[key]
  return isObject(value) ? textIn(value, 'name') : ''
}
