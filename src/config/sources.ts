/** The three kinds of source. Keys and defaults are a contract with users (docs/CONFIG.md). */
import { z } from 'zod'
import { subscriptionSchema } from './query.ts'
import { secretKeys, takeSecret } from './secret.ts'
import { duration } from './units.ts'

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be a URL that starts with https:// (or http://)' })

const common = {
  name: z
    .string()
    .regex(
      /^[a-z][a-z0-9-]{0,31}$/,
      'must be lower-case letters, digits and hyphens, at most 32, starting with a letter',
    ),
  required: z.boolean().default(true).describe('Counts for readiness.'),
  raw: z.boolean().default(true).describe("Carry the source's own object in data.raw."),
  request_timeout: duration('1s', '10m').prefault('30s'),
  tls: z
    .strictObject({
      ca_file: z
        .string()
        .nullable()
        .default(null)
        .describe('PEM file of the authority to trust instead of the built-in ones.'),
      verify: z.boolean().default(true).describe('false accepts any certificate, loudly.'),
      fingerprint_sha256: z
        .string()
        .regex(/^([0-9A-Fa-f]{2}:?){32}$/, 'must be 32 bytes in hex, with or without colons')
        .nullable()
        .default(null)
        .describe('Accept only this certificate, whoever signed it.'),
    })
    .prefault({}),
}

export const apicSchema = z
  .strictObject({
    ...common,
    kind: z.literal('apic'),
    controllers: z.array(httpUrl).min(1),
    username: z.string().min(1),
    ...secretKeys('password'),
    login_domain: z.string().min(1).optional(),
    fallback_domain: z.boolean().default(false).describe('Log in as apic#fallback\\user.'),
    challenge_token: z.union([z.boolean(), z.enum(['header', 'url'])]).default(false),
    format: z.enum(['json', 'xml']).default('json'),
    max_concurrency: z.int().min(1).max(64).default(4),
    reconcile_interval: duration('1s').prefault('15m'),
    canary_interval: duration('1s').prefault('60s'),
    health_scopes: z.array(z.string()).default(['topology']),
    ignore_own_session: z.boolean().default(true),
    subscriptions: z.array(subscriptionSchema).min(1),
  })
  .transform((source, context) => {
    const issue = (message: string, path: string[]) => context.addIssue({ code: 'custom', message, path })
    if (source.fallback_domain && source.login_domain !== undefined) {
      issue('login_domain and fallback_domain exclude each other', ['fallback_domain'])
    }
    const password = takeSecret(source, 'password', true, issue)
    if (password === undefined) return z.NEVER
    return { ...source, password }
  })

const REGIONS = ['us', 'de', 'in', 'ca', 'au', 'uk'] as const

export const raasSchema = z
  .strictObject({
    ...common,
    kind: z.literal('raas'),
    url: httpUrl.optional(),
    region: z.enum(REGIONS).optional(),
    username: z.string().min(1).optional(),
    ...secretKeys('password'),
    config_name: z.string().default('internal'),
    ...secretKeys('csp_api_token'),
    csp_url: httpUrl.default('https://console.cloud.vmware.com'),
    api_token_expires_at: z.iso.datetime({ offset: true }).optional(),
    ...secretKeys('bearer_token'),
    poll_interval: duration('1s').prefault('15s'),
    sweep_interval: duration('1s').prefault('15m'),
    overlap: duration('1s').prefault('120s'),
    late_horizon: duration('1s').prefault('24h'),
    backfill: duration().prefault('0s'),
    jobs: z.boolean().default(true),
    audit: z.boolean().default(false),
    returns: z
      .strictObject({
        include_body_for: z
          .array(z.string())
          .default([])
          .describe('Functions (shell patterns) whose return body is published.'),
        redact: z.array(z.string()).default([]).describe('Property names whose values are masked in published bodies.'),
      })
      .prefault({}),
  })
  .transform((source, context) => {
    const issue = (message: string, path: string[]) => context.addIssue({ code: 'custom', message, path })
    if ((source.url === undefined) === (source.region === undefined)) issue('give exactly one of url, region', ['url'])
    const password = takeSecret(source, 'password', source.username !== undefined, issue)
    const csp_api_token = takeSecret(source, 'csp_api_token', false, issue)
    const bearer_token = takeSecret(source, 'bearer_token', false, issue)
    const ways = [source.username, csp_api_token, bearer_token].filter(way => way !== undefined).length
    if (ways !== 1) issue('give exactly one of username (with password), csp_api_token, bearer_token', ['username'])
    const prefix = source.region === 'us' ? '' : `${source.region}.`
    const url = source.url ?? `https://${prefix}ssc-gateway.mgmt.cloud.vmware.com`
    return { ...source, url, password, csp_api_token, bearer_token }
  })

export const vcdSchema = z
  .strictObject({
    ...common,
    kind: z.literal('vcd'),
    url: httpUrl,
    org: z.string().min(1).describe("System, or a tenant's name."),
    ...secretKeys('api_token'),
    poll_interval: duration('1s').prefault('10s'),
    sweep_interval: duration('1s').prefault('60s'),
    overlap: duration('1s').prefault('10m'),
    backfill: duration().prefault('0s'),
    token_inventory_file: z.string().optional(),
  })
  .transform((source, context) => {
    const issue = (message: string, path: string[]) => context.addIssue({ code: 'custom', message, path })
    const api_token = takeSecret(source, 'api_token', true, issue)
    if (api_token === undefined) return z.NEVER
    return { ...source, api_token }
  })

export const sourceSchema = z.discriminatedUnion('kind', [apicSchema, raasSchema, vcdSchema])

export type ApicConfig = z.infer<typeof apicSchema>
export type RaasConfig = z.infer<typeof raasSchema>
export type VcdConfig = z.infer<typeof vcdSchema>
export type SourceConfig = z.infer<typeof sourceSchema>
export type TlsConfig = ApicConfig['tls']
