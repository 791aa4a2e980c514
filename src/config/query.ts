/** APIC subscriptions as the config says them: the guide's option names with `-` as `_`. */
import { z } from 'zod'
import { duration } from './units.ts'

/** One filter expression: an operator of the guide and its arguments, e.g. `{ eq: [fvTenant.name, blue] }`. */
export interface FilterExpression {
  readonly [operator: string]: readonly (string | number | boolean | FilterExpression)[] | FilterExpression
}

const property = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9]*\.[A-Za-z][A-Za-z0-9]*$/, 'must be class.property, e.g. eventRecord.severity')
const value = z.union([z.string(), z.number(), z.boolean()])
const compare = z.tuple([property, value])

export const filterSchema: z.ZodType<FilterExpression> = z.lazy(() =>
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
) as z.ZodType<FilterExpression>

const className = z.string().regex(/^[a-z][A-Za-z0-9]*$/, 'must be a class name without a colon, e.g. fvTenant')
const classList = z.union([className, z.array(className).min(1)])
const words = <T extends readonly [string, ...string[]]>(...allowed: T) => {
  const word = z.enum(allowed)
  return z.union([word, z.array(word).min(1)])
}

const options = {
  query_target: z.enum(['self', 'children', 'subtree']).optional(),
  target_subtree_class: classList.optional(),
  filter: filterSchema.optional().describe('query-target-filter'),
  rsp_subtree: z.enum(['no', 'children', 'full']).optional(),
  rsp_subtree_class: classList.optional(),
  rsp_subtree_filter: filterSchema.optional(),
  rsp_subtree_include: words(
    'audit-logs',
    'event-logs',
    'faults',
    'fault',
    'fault-records',
    'health',
    'health-records',
    'relations',
    'stats',
    'tasks',
    'count',
    'no-scoped',
    'required',
  ).optional(),
  rsp_prop_include: z.enum(['all', 'naming-only', 'config-only']).optional(),
  order_by: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
  page: z.int().nonnegative().optional(),
  page_size: z.int().positive().optional(),
  time_range: z.string().optional(),
  refresh_timeout: z
    .int()
    .min(300)
    .max(43_200)
    .optional()
    .describe('Seconds; releases from 4.0 on. Only sent when set; without it a subscription lives 60 s.'),
  snapshot: z
    .enum(['publish', 'mirror'])
    .default('mirror')
    .describe('First contact: publish what is there already, or only remember it.'),
  backfill: duration().optional().describe('Log classes: publish this much history at first contact.'),
}

export const subscriptionSchema = z
  .strictObject({
    class: className.optional(),
    mo: z.string().min(1).optional(),
    tag: z
      .string()
      .regex(/^[^/?#%&\s]+$/, 'must be a tag name')
      .optional(),
    raw: z.string().min(1).optional().describe('The path after /api/, as the guide prints it.'),
    ...options,
  })
  .superRefine((subscription, context) => {
    const kinds = (['class', 'mo', 'tag', 'raw'] as const).filter(key => subscription[key] !== undefined)
    if (kinds.length !== 1) {
      context.addIssue({ code: 'custom', message: 'give exactly one of class, mo, tag, raw' })
    }
    if (subscription.mo !== undefined && /(^|\/)\.\.?(\/|$)/.test(subscription.mo)) {
      context.addIssue({
        code: 'custom',
        path: ['mo'],
        message: 'a DN with "." or ".." segments would be rewritten on its way',
      })
    }
    const scoped = subscription.query_target !== undefined && subscription.query_target !== 'self'
    if (subscription.target_subtree_class !== undefined && !scoped) {
      context.addIssue({
        code: 'custom',
        path: ['target_subtree_class'],
        message: 'needs query_target: children or subtree (an APIC ignores it otherwise, without a word)',
      })
    }
  })

export type SubscriptionConfig = z.infer<typeof subscriptionSchema>
