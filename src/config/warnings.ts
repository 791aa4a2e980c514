/** What works but should be known: secrets in plain sight, checks switched off, files that are not there. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { child, type Path, valueAt, walk } from './outline.ts'
import type { Environment } from './overrides.ts'
import type { Finding } from './problems.ts'
import type { SubscriptionConfig } from './query.ts'
import type { Config } from './schema.ts'

/** Warnings for a config that is good. Looks at the files it names, reads none. */
export async function warningsOf(config: Config, input: unknown, env: Environment): Promise<Finding[]> {
  const places: Promise<Finding | undefined>[] = []
  const found: Finding[] = []
  walk(input, (path, value, kinds) => {
    if (typeof value !== 'string') return
    const key = String(path.at(-1))
    if (kinds.some(kind => kind.writeOnly === true)) {
      const better = `${key}_file, ${key}_credential or ${key}_env`
      found.push({ code: 'secret', path, message: `the secret itself is written here; better: ${better}` })
    } else if (key.endsWith('_file')) places.push(missingFile(path, value))
    else if (key.endsWith('_credential')) places.push(missingCredential(path, value, env))
    else if (key.endsWith('_env') && (env[value] ?? '') === '') {
      found.push({ code: 'missing_file', path, message: `the environment variable is not set here` })
    }
  })
  for (const finding of await Promise.all(places)) if (finding !== undefined) found.push(finding)
  return [...found, ...httpWarnings(config), ...sourceWarnings(config, input), ...lossWarnings(config)]
}

async function missingFile(path: Path, file: string): Promise<Finding | undefined> {
  try {
    await access(file)
    return undefined
  } catch {
    return { code: 'missing_file', path, message: `the file ${file} is not there, or may not be read` }
  }
}

async function missingCredential(path: Path, name: string, env: Environment): Promise<Finding | undefined> {
  const directory = env['CREDENTIALS_DIRECTORY']
  if (directory !== undefined) return missingFile(path, join(directory, name))
  return {
    code: 'missing_file',
    path,
    message: '$CREDENTIALS_DIRECTORY is not set here: a credential works only in a systemd service',
  }
}

/** True for an address that only this machine reaches. */
function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host)
}

function httpWarnings(config: Config): Finding[] {
  const { listen, token_file, tls } = config.http
  const host = listen.slice(0, listen.lastIndexOf(':'))
  if (isLoopback(host)) return []
  const path = ['http', 'listen']
  if (token_file === null) {
    const message = `${listen} is open to other machines without http.token_file: they see status and metrics`
    return [{ code: 'security', path, message }]
  }
  if (tls === null) {
    return [{ code: 'security', path, message: 'without http.tls the bearer token travels in clear text' }]
  }
  return []
}

function sourceWarnings(config: Config, input: unknown): Finding[] {
  return config.sources.flatMap((source, index): Finding[] => {
    const at: Path = ['sources', index]
    const found: Finding[] = []
    if (!source.tls.verify && source.tls.fingerprint_sha256 === null) {
      const message = 'any certificate is accepted: whoever stands between gets the password; better: tls.ca_file'
      found.push({ code: 'security', path: [...at, 'tls', 'verify'], message })
    }
    const addresses = source.kind === 'apic' ? source.controllers : [source.url]
    if (addresses.some(address => address.startsWith('http:') && !isLoopback(new URL(address).hostname))) {
      const key = source.kind === 'apic' ? 'controllers' : 'url'
      found.push({ code: 'security', path: [...at, key], message: 'http: sends the credentials in clear text' })
    }
    if (source.kind === 'apic') found.push(...askedTwice(source.subscriptions, [...at, 'subscriptions']))
    if (source.kind === 'raas' && source.csp_api_token === undefined) {
      for (const key of ['csp_url', 'api_token_expires_at']) {
        if (child(valueAt(at, input), key) === undefined) continue
        found.push({ code: 'loss', path: [...at, key], message: 'does nothing without csp_api_token_file' })
      }
    }
    return found
  })
}

/** The same question twice is one subscription. The daemon knows it by its address; here the written form is compared. */
function askedTwice(subscriptions: readonly SubscriptionConfig[], at: Path): Finding[] {
  const queries = subscriptions.map(subscription => ({ ...subscription, snapshot: undefined, backfill: undefined }))
  return queries.flatMap((query, index): Finding[] => {
    const first = queries.findIndex(other => isDeepStrictEqual(other, query))
    if (first === index) return []
    const message = `asks the same as subscriptions[${first}]: it does nothing, the first one counts`
    return [{ code: 'loss', path: [...at, index], message }]
  })
}

function lossWarnings(config: Config): Finding[] {
  if (config.state_dir !== undefined || config.nats === undefined) return []
  const message = 'no state_dir: the store is in memory, so a restart loses what NATS has not taken yet'
  return [{ code: 'loss', path: [], message }]
}
