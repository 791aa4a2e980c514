/** APIC subscriptions as the config says them: the guide's option names with `-` as `_`. */
import { z } from 'zod'
import { CATEGORIES, CATEGORY_OPTIONS, combinationProblems } from './query-rules.ts'
import { type AddIssue, across, type Block } from './rules.ts'
import { duration } from './units.ts'

/** One filter expression: an operator of the guide and its arguments, e.g. `{ eq: [fvTenant.name, blue] }`. */
export interface FilterExpression {
  readonly [operator: string]: readonly (string | number | boolean | FilterExpression)[] | FilterExpression
}

/** `fvTenant`: package and class without the colon of the documentation (guide). */
export const CLASS = /^[a-z][A-Za-z0-9]*$/
const PROPERTY = /^[A-Za-z][A-Za-z0-9]*\.[A-Za-z][A-Za-z0-9]*$/
const NODE = /topology\/pod-\d+\/node-\d+/
/** `class.property`, `class.property|desc`. */
export const ORDER = /^[A-Za-z][A-Za-z0-9]*\.[A-Za-z][A-Za-z0-9]*(\|(asc|desc))?$/
/** The guide does not have it; these are the words of newer GUIs (reference a9), or two times. */
const TIME = /\d{4}-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?/
export const TIME_RANGE = new RegExp(`^(24h|1week|1month|3month|${TIME.source}\\|${TIME.source})$`)

/** What to say of `fv:Tenant`, as the documentation spells classes; undefined for what is wrong otherwise. */
export function colonless(word: unknown): string | undefined {
  return typeof word === 'string' && /^[A-Za-z]\w*:[A-Za-z][\w.]*$/.test(word)
    ? `must be written without the colon: ${word.replace(':', '')}`
    : undefined
}

const property = z
  .string()
  .regex(PROPERTY, { error: ({ input }) => colonless(input) ?? 'must be class.property, e.g. eventRecord.severity' })
const value = z.union([z.string(), z.number(), z.boolean()])
const compare = z.tuple([property, value])

/** Operators of the guide (reference/apic.md a9). One operator a block; `and`, `or`, `xor`, `not` take further blocks. */
export const filterSchema: z.ZodType<FilterExpression> = z
  .lazy(() =>
    z.union([
      ...(['eq', 'ne', 'lt', 'gt', 'le', 'ge', 'anybit', 'allbits', 'wcard'] as const).map(name =>
        z.strictObject({ [name]: compare }),
      ),
      z.strictObject({ bw: z.tuple([property, value, value]) }),
      ...(['and', 'or', 'xor'] as const).map(name => z.strictObject({ [name]: z.array(filterSchema).min(1) })),
      z.strictObject({ not: z.union([filterSchema, z.array(filterSchema).length(1)]) }),
      z.strictObject({ true: z.array(value).length(0) }),
      z.strictObject({ false: z.array(value).length(0) }),
    ]),
  )
  .meta({ id: 'filter' }) as z.ZodType<FilterExpression>

const className = z.string().regex(CLASS, {
  error: ({ input }) =>
    typeof input === 'string' && input.includes(',')
      ? 'must be one class name, or a list of them: [fvBD, fvAEPg]'
      : (colonless(input) ?? 'must be a class name without a colon, e.g. fvTenant'),
})
/** A class, or a class on one switch, spelled as the URI has it. */
const classTarget = z.string().regex(new RegExp(`^(?:node/class/)?(?:${NODE.source}/)?${CLASS.source.slice(1)}`), {
  error: ({ input }) =>
    colonless(input) ??
    'must be a class name without a colon, e.g. fvTenant, or one on a switch: topology/pod-1/node-101/ethpmPhysIf',
})
const classList = z.union([className, z.array(className).min(1)])
const words = <T extends readonly [string, ...string[]]>(...allowed: T) => {
  const word = z.enum(allowed)
  return z.union([word, z.array(word).min(1)])
}

const order = z.string().regex(ORDER, {
  error: ({ input }) =>
    colonless(input) ?? 'must be class.property, with |asc or |desc after it, without blanks: fvTenant.name|desc',
})

/** Classes whose rows an APIC keeps as history: what `backfill` can be asked of (reference/apic.md). */
const LOG_CLASSES = ['aaaModLR', 'aaaSessionLR', 'eventRecord', 'faultRecord', 'healthRecord']

const options = {
  query_target: z
    .enum(['self', 'children', 'subtree'])
    .optional()
    .describe('The object itself, its children, or everything below it.'),
  target_subtree_class: classList.optional().describe('Only these classes of what query_target reaches.'),
  filter: filterSchema.optional().describe('The query-target-filter: one operator and its arguments.'),
  rsp_subtree: z.enum(['no', 'children', 'full']).optional().describe('What is sent along below.'),
  rsp_subtree_class: classList.optional().describe('Only these classes of what is sent along.'),
  rsp_subtree_filter: filterSchema.optional().describe('A filter on what is sent along.'),
  rsp_subtree_include: words(...CATEGORIES, 'fault', ...CATEGORY_OPTIONS)
    .optional()
    .describe('Further records sent along.'),
  rsp_prop_include: z.enum(['all', 'naming-only', 'config-only']).optional().describe('Which properties are sent.'),
  order_by: z
    .union([order, z.array(order).min(1)])
    .optional()
    .describe('Class.property, with |asc or |desc after it; a list sorts by the first, then by the next.'),
  page: z.int().nonnegative().optional().describe('The number of the page, from 0.'),
  page_size: z.int().positive().optional().describe('Objects on one page.'),
  time_range: z
    .string()
    .regex(TIME_RANGE, 'must be 24h, 1week, 1month, 3month, or two times with a bar between them')
    .optional()
    .describe('Log records of this time only: 24h, 1week, 1month, 3month, or two times with a bar between them.'),
}

/** What concerns a subscription and not its question. */
const subscribing = {
  refresh_timeout: z
    .int()
    .min(300)
    .max(43_200)
    .optional()
    .describe('Seconds, on releases from 4.0 on. Only sent when set; without it a subscription lives 60 s.'),
  snapshot: z
    .enum(['publish', 'mirror'])
    .default('mirror')
    .describe('First contact: publish what is there already, or only remember it.'),
  backfill: duration().optional().describe('Log classes: publish this much history at first contact.'),
}

const targets = {
  class: classTarget
    .optional()
    .describe('Every object of a class; of one switch: topology/pod-1/node-101/ethpmPhysIf.'),
  mo: z.string().min(1).optional().describe('One object by its DN; with query_target also what is below it.'),
  tag: z
    .string()
    .regex(/^[^/?#%&\s]+$/, 'must be a tag name')
    .optional()
    .describe('The objects that carry a tag.'),
  raw: z.string().min(1).optional().describe('The path after /api/, as the guide prints it.'),
}

/** One question: exactly one of class, mo, tag, raw, and the guide's options. What `opswire query` asks. */
export const questionSchema = z
  .strictObject({ ...targets, ...options })
  .superRefine(...across((question, issue) => goTogether(question, true, issue)))

/** One subscription: a question, and how it is kept. */
export const subscriptionSchema = z.strictObject({ ...targets, ...options, ...subscribing }).superRefine(
  ...across((subscription, issue) => {
    goTogether(subscription, false, issue)
    const { backfill } = subscription
    const one = String(subscription['class'] ?? '').replace(/^.*\//, '')
    if (backfill !== undefined && one !== '' && !LOG_CLASSES.includes(one)) {
      issue(`${one} has no history to read: backfill is for ${LOG_CLASSES.join(', ')}; use snapshot: publish`, [
        'backfill',
      ])
    }
  }),
)

/** Which keys of a question exclude or need each other. */
function goTogether(question: Block, once: boolean, issue: AddIssue): void {
  const kinds = ['class', 'mo', 'tag', 'raw'].filter(key => question[key] !== undefined)
  if (kinds.length !== 1) {
    issue(
      `give exactly one of class, mo, tag, raw (${kinds.length === 0 ? 'none is set' : `${kinds.join(' and ')} are set`})`,
    )
  }
  const { mo, raw } = question
  if (typeof mo === 'string' && /(^|\/)\.\.?(\/|$)/.test(mo)) {
    issue('a DN with "." or ".." segments would be rewritten on its way', ['mo'])
  }
  // What raw holds is part of the question: whoever takes it apart judges the whole.
  if (raw !== undefined) return
  for (const { key, message } of combinationProblems(question, once)) issue(message, [key])
}

export type QuestionConfig = z.infer<typeof questionSchema>
export type SubscriptionConfig = z.infer<typeof subscriptionSchema>
