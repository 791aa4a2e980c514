/** The one schema: types, checks, sample, JSON Schema and the reference page all come from it. */
import { z } from 'zod'
import { across, type Block } from './rules.ts'
import { secretKeys, takeSecret } from './secret.ts'
import { sourceSchema } from './sources.ts'
import { duration, size } from './units.ts'

const file = (description: string) => z.string().min(1).nullable().default(null).describe(description)
/** A running daemon can't take up a change: a reload with one is refused, by the key's name. */
const RESTART = { 'x-needs-restart': true }
const pem = (description: string) => z.string().min(1).describe(description)

/** Where events go. */
export const natsSchema = z
  .strictObject({
    servers: z
      .array(
        z
          .string()
          .regex(/^(nats|tls):\/\/[^\s]+$/, 'must start with nats:// or tls://')
          .refine(
            url => !/^[a-z]+:\/\/[^/]*@/.test(url),
            'must not carry a user or password: they have their own keys',
          ),
      )
      .min(1)
      .meta({
        description: 'One or more servers of the NATS cluster. JetStream must be on.',
        examples: [['nats://127.0.0.1:4222']],
      }),
    credentials_file: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: 'A .creds file (a JWT and its key). Without it and the keys below nothing is shown at login.',
        examples: ['/etc/opswire/nats.creds'],
        'x-needs': 'At most one of credentials_file, user (with its password), token and nkey_seed.',
      }),
    user: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "The user's name, together with password_file.", 'x-instead-of': 'credentials_file' }),
    ...secretKeys('password', {
      what: "the user's password",
      example: '/run/secrets/nats',
      insteadOf: 'credentials_file',
    }),
    ...secretKeys('token', { what: 'a token', example: '/run/secrets/nats', insteadOf: 'credentials_file' }),
    ...secretKeys('nkey_seed', { what: 'an nkey seed', example: '/run/secrets/nats', insteadOf: 'credentials_file' }),
    tls: z
      .strictObject({
        ca_file: file('A PEM file of the authority to trust in place of the built-in ones.'),
        cert_file: file("A PEM file of the client's certificate, together with key_file."),
        key_file: file("A PEM file of the client's key."),
      })
      .nullable()
      .default(null)
      .describe('TLS to the servers. A server that asks for TLS gets it also without this block.'),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, 'must be subject tokens: letters, digits, _ and -, joined by dots')
      .default('opswire')
      .describe('How every subject begins: <prefix>.<system>.<source>.<kind>.<severity>.'),
    retain_acked: duration()
      .describe(
        'How long delivered events stay in the store, to be sent again if NATS loses them: an acknowledgement is not a write to disk.',
      )
      .prefault('3m'),
    stream: z
      .strictObject({
        name: z
          .string()
          .regex(/^[A-Za-z0-9_-]+$/, 'must be letters, digits, _ and -')
          .default('OPSWIRE')
          .describe('The name of the stream.'),
        create: z
          .boolean()
          .default(true)
          .describe('Create the stream when it is missing. False: only check what is there, and name each difference.'),
        replicas: z.int().min(1).max(5).default(1).describe('Copies of the stream in the cluster.'),
        max_age: duration('1m').describe('How long the stream keeps an event.').prefault('7d'),
        max_bytes: size('1MiB').describe('How large the stream may grow.').prefault('1GiB'),
        duplicate_window: duration('1s')
          .meta({
            description: 'How long the server knows the id of an event, so that one sent twice is kept once.',
            'x-needs': 'Not longer than max_age.',
          })
          .prefault('5m'),
      })
      .describe('The JetStream stream that keeps the events.')
      .prefault({}),
  })
  .superRefine(
    ...across((nats, issue) => {
      const password = takeSecret(nats, 'password', nats['user'] !== undefined, issue)
      if (password !== undefined && nats['user'] === undefined) issue('a password needs a user', ['user'])
      const token = takeSecret(nats, 'token', false, issue)
      const seed = takeSecret(nats, 'nkey_seed', false, issue)
      const ways = [nats['credentials_file'], nats['user'], token, seed].filter(way => way !== undefined).length
      if (ways > 1) issue('give at most one of credentials_file, user, token_file, nkey_seed_file')
      const { duplicate_window, max_age } = (nats['stream'] ?? {}) as Block
      if (typeof duplicate_window === 'number' && typeof max_age === 'number' && duplicate_window > max_age) {
        issue('must not be longer than max_age (the server refuses it)', ['stream', 'duplicate_window'])
      }
      const tls = (nats['tls'] ?? {}) as Block
      if ((typeof tls['cert_file'] === 'string') !== (typeof tls['key_file'] === 'string')) {
        issue('cert_file and key_file go together', ['tls'])
      }
    }),
  )
  .transform(nats => {
    const ignore = (): void => undefined
    return {
      ...nats,
      password: takeSecret(nats, 'password', false, ignore),
      token: takeSecret(nats, 'token', false, ignore),
      nkey_seed: takeSecret(nats, 'nkey_seed', false, ignore),
    }
  })

const httpSchema = z.strictObject({
  listen: z
    .string()
    .regex(/^([^\s:]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/, 'must be host:port, such as 127.0.0.1:9469 or [::1]:9469')
    .refine(listen => Number(/\d+$/.exec(listen)?.[0]) <= 65_535, 'must have a port up to 65535')
    .default('127.0.0.1:9469')
    .meta({ description: 'Host and port. Only this machine by default.', ...RESTART }),
  token_file: file(
    'A file with the bearer token that /, /status and /metrics want from other machines, and POST /-/reload and /-/replay, which are closed to them without it. Without it the first three are open to all who reach the port.',
  ),
  tls: z
    .strictObject({
      cert_file: pem('A PEM file of the certificate.').meta({ 'x-needs-restart': false }),
      key_file: pem('A PEM file of its key.').meta({ 'x-needs-restart': false }),
    })
    .nullable()
    .default(null)
    .meta({
      description: 'Serve HTTPS.',
      'x-needs-restart': 'Both are read again at a reload; switching HTTPS on or off needs a restart.',
    }),
})

/** The whole file. Each issue names its path; `explain.ts` says them in plain words. */
export const configSchema = z
  .strictObject({
    state_dir: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: 'The directory the store lives in. Without it everything is in memory and lost at a restart.',
        examples: ['/var/lib/opswire'],
        ...RESTART,
      }),
    shutdown_timeout: duration('1s', '10m').describe('How long a graceful stop may take.').prefault('10s'),
    http: httpSchema
      .describe('The page for people, status, metrics, health and readiness; reload and replay.')
      .prefault({}),
    log: z
      .strictObject({
        level: z
          .enum(['trace', 'debug', 'info', 'warn', 'error'])
          .default('info')
          .describe('The least that is logged. A healthy daemon is silent at info.'),
      })
      .describe('The log, JSON lines on stderr.')
      .prefault({}),
    store: z
      .strictObject({
        max_bytes: size('1MiB')
          .meta({
            description:
              'How large the store may grow while events can not be delivered. Then polls wait; at 110 % APIC sockets are held back.',
            ...RESTART,
          })
          .prefault('2GiB'),
      })
      .describe('The store between sources and NATS.')
      .prefault({}),
    dead_letters: z
      .strictObject({
        max: z
          .int()
          .positive()
          .default(10_000)
          .meta({
            description: 'How many are kept, in a quarter of store.max_bytes at most. The oldest go first.',
            ...RESTART,
          }),
      })
      .describe('Messages that could not be understood or delivered, kept whole.')
      .prefault({}),
    nats: natsSchema.optional().meta({
      description: 'NATS JetStream. Without this block events go to stdout as JSON lines.',
      ...RESTART,
    }),
    sources: z.array(sourceSchema).min(1).describe('What to watch.'),
  })
  .superRefine(
    ...across((config, issue) => {
      if (!Array.isArray(config['sources'])) return
      const names = config['sources'].map(source => (source as Block | null)?.['name'])
      names.forEach((name, index) => {
        const first = names.indexOf(name)
        if (typeof name === 'string' && first < index) {
          issue(`"${name}" is used twice (also by sources[${first}])`, ['sources', index, 'name'])
        }
      })
    }),
  )

export type Config = z.infer<typeof configSchema>
export type NatsConfig = z.infer<typeof natsSchema>
export type HttpConfig = Config['http']
