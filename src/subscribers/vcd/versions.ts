/** Which API version to speak: from what the cell offers (`GET /api/versions`) and what we were tested with. Pure. */
import { Fatal, Retryable } from '../../errors.ts'
import { xmlParser } from '../xml-parser.ts'

export interface OfferedVersion {
  readonly version: string
  readonly deprecated: boolean
}

/**
 * Tested versions, best first. VCF Automation lists two schemes side by side and marks the old one (40.0) deprecated,
 * so "the highest number" would be the wrong choice there. Below 36.1 there are no API tokens.
 */
const TESTED = '9.1.0 9.0.0 40.0 39.1 39.0 38.1 38.0 37.3 37.2 37.1 37.0 36.3 36.2 36.1'.split(' ')

const numbers = (version: string): number[] => version.split('.').map(Number)

/** Compares component by component, as numbers: 37.10 is above 37.9. */
function compareVersions(left: string, right: string): number {
  const [a, b] = [numbers(left), numbers(right)]
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** VCF Automation's own numbering: three components. */
const isSecondScheme = (version: string): boolean => numbers(version).length > 2

export interface Choice {
  readonly version: string
  /** What an operator should know about it. */
  readonly advice?: string
}

/**
 * Picks one: a tested version that is not deprecated, else a tested deprecated one, else the oldest one newer than all
 * that was tested. Throws `Fatal('config')` when the cell offers only versions without API tokens.
 */
export function chooseVersion(offered: readonly OfferedVersion[]): Choice {
  for (const deprecated of [false, true]) {
    const usable = offered.filter(one => one.deprecated === deprecated)
    for (const tested of TESTED) {
      const found = usable.find(one => compareVersions(one.version, tested) === 0)
      if (found !== undefined) return { version: found.version }
    }
  }
  const newer = offered
    .filter(({ version }) => compareVersions(version, isSecondScheme(version) ? '9.0.0' : '36.1') >= 0)
    .sort((a, b) => Number(a.deprecated) - Number(b.deprecated) || compareVersions(a.version, b.version))[0]
  if (newer === undefined) {
    const list = offered.map(one => one.version).join(', ')
    throw new Fatal('config', `the cell offers API versions ${list === '' ? 'none' : list}; API tokens need 36.1`)
  }
  return {
    version: newer.version,
    advice: `the cell offers none of the API versions that opswire was tested with; using ${newer.version}`,
  }
}

const parse = xmlParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  removeNSPrefix: true,
  isArray: name => name === 'VersionInfo',
})

/** Reads the answer of `GET /api/versions`; pre-releases (`AlphaVersion`) are left out. Throws `Retryable('protocol')`. */
export function parseVersions(xml: string): OfferedVersion[] {
  let parsed: unknown
  try {
    parsed = parse(xml)
  } catch (error) {
    throw new Retryable('protocol', 'GET /api/versions answered something that is not XML', { cause: error })
  }
  const root = (parsed as { SupportedVersions?: { VersionInfo?: unknown[] } | string }).SupportedVersions
  const entries = typeof root === 'object' ? (root.VersionInfo ?? []) : undefined
  if (entries === undefined) throw new Retryable('protocol', 'GET /api/versions answered no SupportedVersions')
  const versions: OfferedVersion[] = []
  for (const entry of entries as { Version?: unknown; '@deprecated'?: unknown }[]) {
    if (typeof entry.Version !== 'string' || !/^\d+(\.\d+)+$/.test(entry.Version)) continue
    versions.push({ version: entry.Version, deprecated: entry['@deprecated'] === 'true' })
  }
  return versions
}
