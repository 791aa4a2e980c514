/** The one schema: types, checks, sample, JSON Schema and the reference page all come from it. */
import { z } from 'zod'
import { secretKeys, takeSecret } from './secret.ts'
import { sourceSchema } from './sources.ts'
import { duration, size } from './units.ts'

const file = z.string().min(1).nullable().default(null)

export const natsSchema = z
  .strictObject({
    servers: z.array(z.string().regex(/^(nats|tls):\/\/[^\s]+$/, 'must start with nats:// or tls://')).min(1),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, 'must be subject tokens: letters, digits, _ and -, joined by dots')
      .default('opswire'),
    retain_acked: duration().prefault('3m'),
    credentials_file: z.string().optional(),
    user: z.string().optional(),
    ...secretKeys('password'),
    ...secretKeys('token'),
    ...secretKeys('nkey_seed'),
    tls: z.strictObject({ ca_file: file, cert_file: file, key_file: file }).nullable().default(null),
    stream: z
      .strictObject({
        name: z
          .string()
          .regex(/^[A-Za-z0-9_-]+$/)
          .default('OPSWIRE'),
        create: z.boolean().default(true),
        replicas: z.int().min(1).max(5).default(1),
        max_age: duration('1m').prefault('7d'),
        max_bytes: size('1MiB').prefault('1GiB'),
        duplicate_window: duration('1s').prefault('5m'),
      })
      .prefault({}),
  })
  .transform((nats, context) => {
    const issue = (message: string, path: string[]) => context.addIssue({ code: 'custom', message, path })
    const password = takeSecret(nats, 'password', nats.user !== undefined, issue)
    const token = takeSecret(nats, 'token', false, issue)
    const nkey_seed = takeSecret(nats, 'nkey_seed', false, issue)
    const ways = [nats.credentials_file, nats.user, token, nkey_seed].filter(way => way !== undefined).length
    if (ways > 1) issue('give at most one of credentials_file, user, token, nkey_seed', ['user'])
    if (nats.stream.duplicate_window > nats.stream.max_age) {
      issue('must not be longer than max_age (the server refuses it)', ['stream', 'duplicate_window'])
    }
    return { ...nats, password, token, nkey_seed }
  })

export const configSchema = z
  .strictObject({
    state_dir: z.string().min(1).optional().describe('Where the store lives. Omit for memory only.'),
    shutdown_timeout: duration('1s', '10m').prefault('10s'),
    http: z
      .strictObject({
        listen: z
          .string()
          .regex(/^.+:\d{1,5}$/, 'must be host:port')
          .default('127.0.0.1:9469'),
        token_file: file,
        tls: z.strictObject({ cert_file: z.string(), key_file: z.string() }).nullable().default(null),
      })
      .prefault({}),
    log: z.strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
    store: z.strictObject({ max_bytes: size('1MiB').prefault('2GiB') }).prefault({}),
    dead_letters: z.strictObject({ max: z.int().positive().default(10_000) }).prefault({}),
    nats: natsSchema.optional().describe('Omit the block: events go to stdout as JSON lines.'),
    sources: z.array(sourceSchema).min(1),
  })
  .superRefine((config, context) => {
    const seen = new Map<string, number>()
    config.sources.forEach((source, index) => {
      if (seen.has(source.name)) {
        context.addIssue({
          code: 'custom',
          path: ['sources', index, 'name'],
          message: `"${source.name}" is used twice`,
        })
      }
      seen.set(source.name, index)
    })
  })

export type Config = z.infer<typeof configSchema>
export type NatsConfig = z.infer<typeof natsSchema>
export type HttpConfig = Config['http']
