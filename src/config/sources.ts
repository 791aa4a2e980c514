/** The three kinds of source. Keys and defaults are a contract with users (config/opswire.example.yaml). */
import { z } from 'zod'
import { subscriptionSchema } from './query.ts'
import { across } from './rules.ts'
import { secretKeys, takeSecret } from './secret.ts'
import { duration } from './units.ts'

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be a URL that starts with https:// (or http://)' })
  .refine(url => !/^https?:\/\/[^/?#]*@/i.test(url), 'must not carry a user or password: they have their own keys')

/** Keys of every source. */
const common = {
  required: z.boolean().default(true).describe('A required source counts for readiness: /-/ready fails without it.'),
  raw: z.boolean().default(true).describe("Events carry the source's own object, without secrets, in data.raw."),
  request_timeout: duration('1s', '10m').describe('How long one request may take.').prefault('30s'),
  tls: z
    .strictObject({
      ca_file: z
        .string()
        .min(1)
        .nullable()
        .default(null)
        .describe('A PEM file of the authority to trust in place of the built-in ones.'),
      verify: z.boolean().default(true).describe('False accepts any certificate, and says so loudly.'),
      fingerprint_sha256: z
        .string()
        .regex(/^([0-9A-Fa-f]{2}:?){32}$/, 'must be 32 bytes in hex, with or without colons')
        .nullable()
        .default(null)
        .describe('Accept only the certificate with this fingerprint, whoever signed it.'),
    })
    .describe('How the certificate of the source is checked.')
    .prefault({}),
}

const named = (example: string) =>
  z
    .string()
    .regex(
      /^[a-z][a-z0-9-]{0,31}$/,
      'must be lower-case letters, digits and hyphens, at most 32, starting with a letter',
    )
    .meta({
      description: 'A name of your choice. It is part of every subject, event and metric of the source.',
      examples: [example],
    })

/** An APIC cluster: sockets and subscriptions. */
export const apicSchema = z
  .strictObject({
    name: named('fabric-a'),
    kind: z.literal('apic').describe('Cisco APIC: the controllers of one ACI fabric.'),
    controllers: z
      .array(httpUrl)
      .min(1)
      .meta({
        description: 'The controllers of the fabric. One is used; the next one takes over when it fails.',
        examples: [['https://apic1.example.net', 'https://apic2.example.net']],
      }),
    username: z
      .string()
      .min(1)
      .meta({ description: 'A login with read rights.', examples: ['svc-opswire'] }),
    ...secretKeys('password', { what: 'the password', example: '/run/secrets/apic', mustBeSet: true }),
    login_domain: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: 'Log in as apic:DOMAIN\\user.',
        examples: ['LOCAL'],
        'x-needs': 'Excludes fallback_domain.',
      }),
    fallback_domain: z.boolean().default(false).describe('Log in as apic#fallback\\user. Excludes login_domain.'),
    challenge_token: z
      .union([z.boolean(), z.enum(['header', 'url'])])
      .default(false)
      .describe('Ask for a challenge token at login and send it in a header (true, header) or in the URL (url).'),
    format: z.enum(['json', 'xml']).default('json').describe('What the controller is asked to answer in.'),
    max_concurrency: z.int().min(1).max(64).default(4).describe('Most requests to the fabric at once.'),
    reconcile_interval: duration('1s')
      .describe('How often objects are compared with the mirror, to find what no notification told.')
      .prefault('15m'),
    canary_interval: duration('1s')
      .describe('How often the newest log record asked for is compared with the newest one pushed.')
      .prefault('60s'),
    health_scopes: z
      .array(z.string().min(1))
      .default(['topology'])
      .describe('DNs whose health score becomes a metric, such as topology or uni/tn-prod.'),
    ignore_own_session: z
      .boolean()
      .default(true)
      .describe('Leave out the session records that the logins of opswire itself make.'),
    ...common,
    subscriptions: z
      .array(subscriptionSchema)
      .min(1)
      .meta({
        description:
          'What to subscribe to. Each entry has exactly one of class, mo, tag and raw, and any of the options below, which are the query options of the APIC guide with _ for -.',
        // Not `examples`: those are dropped where values are transformed.
        'x-example': [
          { class: 'faultInst', snapshot: 'publish' },
          { class: 'aaaModLR', backfill: '1h' },
          { mo: 'uni/tn-prod', query_target: 'subtree', target_subtree_class: ['fvAEPg', 'fvBD'] },
          { class: 'eventRecord', filter: { ne: ['eventRecord.user', 'internal'] } },
        ],
      }),
  })
  .superRefine(
    ...across((source, issue) => {
      if (source['fallback_domain'] === true && source['login_domain'] !== undefined) {
        issue('login_domain and fallback_domain exclude each other', ['fallback_domain'])
      }
      takeSecret(source, 'password', true, issue)
    }),
  )
  .transform(source => {
    const password = takeSecret(source, 'password', true, ignore)
    if (password === undefined) return z.NEVER
    return { ...source, password }
  })

/** Rules have been told by `superRefine` before a transform runs. */
const ignore = (): void => undefined

const REGIONS = ['us', 'de', 'in', 'ca', 'au', 'uk'] as const

/** VMware Automation Config (SaltStack RaaS): job runs, returns, audit. */
export const raasSchema = z
  .strictObject({
    name: named('salt'),
    kind: z.literal('raas').describe('VMware Automation Config (SaltStack RaaS).'),
    url: httpUrl.optional().meta({
      description: 'The address of the server. It may carry a base path, such as https://raas.example.net/raas.',
      examples: ['https://raas.example.net'],
      'x-must-be-set': true,
      'x-needs': 'Exactly one of url and region.',
    }),
    region: z
      .enum(REGIONS)
      .optional()
      .meta({ description: `The cloud service's region: ${REGIONS.join(', ')}.`, 'x-instead-of': 'url' }),
    username: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: 'A login with read rights, and its password.',
        examples: ['svc-opswire'],
        'x-must-be-set': true,
        'x-needs': 'Exactly one of username (with its password), csp_api_token and bearer_token.',
      }),
    ...secretKeys('password', { what: 'the password', example: '/run/secrets/raas', mustBeSet: true }),
    config_name: z.string().min(1).default('internal').describe('The authentication backend of the login.'),
    ...secretKeys('csp_api_token', {
      what: 'an API token of the cloud service console (in place of username and password)',
      example: '/run/secrets/csp',
      insteadOf: 'username',
    }),
    csp_url: httpUrl.default('https://console.cloud.vmware.com').meta({
      description: 'The cloud service console that csp_api_token is shown to.',
      'x-needs': 'Does nothing without csp_api_token.',
    }),
    api_token_expires_at: z.iso.datetime({ offset: true }).optional().meta({
      description: 'When csp_api_token ends, such as 2026-12-31T00:00:00Z: the console does not tell, a metric does.',
      'x-instead-of': 'username',
      'x-needs': 'Does nothing without csp_api_token.',
    }),
    ...secretKeys('bearer_token', {
      what: 'a bearer token that something else keeps fresh (in place of username and password)',
      example: '/run/secrets/bearer',
      insteadOf: 'username',
    }),
    poll_interval: duration('1s').describe('How often job runs and returns are asked for.').prefault('15s'),
    sweep_interval: duration('1s')
      .describe('How often a longer window is read again, to find late rows.')
      .prefault('15m'),
    overlap: duration('1s')
      .describe('How far back each poll reads again, for rows that became visible late.')
      .prefault('120s'),
    late_horizon: duration('1s')
      .describe('How long a run is watched for returns that are still missing.')
      .prefault('24h'),
    backfill: duration().describe('How much history is published at first contact.').prefault('0s'),
    jobs: z.boolean().default(true).describe('Publish job definitions and job runs as well as returns.'),
    audit: z.boolean().default(false).describe("Publish the server's audit log (needs the right to read it)."),
    returns: z
      .strictObject({
        include_body_for: z
          .array(z.string().min(1))
          .default([])
          .describe('Functions (shell patterns, such as state.*) whose return body is published.'),
        redact: z
          .array(z.string().min(1))
          .default([])
          .describe('Names of properties whose values are masked in published bodies.'),
      })
      .describe('What is published of a job return besides its verdict.')
      .prefault({}),
    ...common,
  })
  .superRefine(
    ...across((source, issue) => {
      if ((source['url'] === undefined) === (source['region'] === undefined)) {
        issue('give exactly one of url, region', source['url'] === undefined ? [] : ['region'])
      }
      takeSecret(source, 'password', source['username'] !== undefined, issue)
      const token = takeSecret(source, 'csp_api_token', false, issue)
      const bearer = takeSecret(source, 'bearer_token', false, issue)
      const ways = [source['username'], token, bearer].filter(way => way !== undefined).length
      if (ways !== 1) issue('give exactly one of username (with its password), csp_api_token_file, bearer_token_file')
    }),
  )
  .transform(source => {
    const password = takeSecret(source, 'password', false, ignore)
    const csp_api_token = takeSecret(source, 'csp_api_token', false, ignore)
    const bearer_token = takeSecret(source, 'bearer_token', false, ignore)
    const prefix = source.region === 'us' ? '' : `${source.region}.`
    const url = source.url ?? `https://${prefix}ssc-gateway.mgmt.cloud.vmware.com`
    return { ...source, url, password, csp_api_token, bearer_token }
  })

/** VMware Cloud Director: the audit trail. */
export const vcdSchema = z
  .strictObject({
    name: named('cloud'),
    kind: z.literal('vcd').describe('VMware Cloud Director.'),
    url: httpUrl.meta({ description: 'The address of Cloud Director.', examples: ['https://vcd.example.net'] }),
    org: z
      .string()
      .min(1)
      .meta({ description: "The organisation to log in to: System, or a tenant's name.", examples: ['System'] }),
    ...secretKeys('api_token', {
      what: 'the API token',
      example: '/run/secrets/vcd',
      mustBeSet: true,
      needs: 'One that rotates needs state_dir.',
    }),
    poll_interval: duration('1s').describe('How often the newest audit events are asked for.').prefault('10s'),
    sweep_interval: duration('1s')
      .describe('How often the whole overlap is read again: this is the guarantee.')
      .prefault('60s'),
    overlap: duration('1s')
      .describe('How far back a sweep reads, for events that became visible late.')
      .prefault('10m'),
    backfill: duration().describe('How much history is published at first contact.').prefault('0s'),
    token_inventory_file: z
      .string()
      .min(1)
      .optional()
      .meta({
        description:
          'A YAML list of {id, name, owner, org, expires}: it gives the API tokens seen in events their names, and flags those that it lacks. Read again when it changes; opswire query SOURCE tokens --login-as USER prints one.',
        examples: ['/etc/opswire/vcd-tokens.yaml'],
      }),
    ...common,
  })
  .superRefine(...across((source, issue) => void takeSecret(source, 'api_token', true, issue)))
  .transform(source => {
    const api_token = takeSecret(source, 'api_token', true, ignore)
    if (api_token === undefined) return z.NEVER
    return { ...source, api_token }
  })

export const sourceSchema = z.discriminatedUnion('kind', [apicSchema, raasSchema, vcdSchema])

export type ApicConfig = z.infer<typeof apicSchema>
export type RaasConfig = z.infer<typeof raasSchema>
export type VcdConfig = z.infer<typeof vcdSchema>
export type SourceConfig = z.infer<typeof sourceSchema>
export type TlsConfig = ApicConfig['tls']
