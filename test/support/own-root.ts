/** A program in a root of its own, as an unprivileged user: what a package or an image holds, and nothing of the machine besides what is lent. */
import { mkdirSync, readdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Lends a file or folder of the machine. `to` is the place inside; the same unless given. */
export interface Loan {
  readonly from: string
  readonly to?: string
  readonly writable?: boolean
}

export interface OwnRoot {
  /** The folder that becomes `/`. */
  readonly root: string
  readonly loans: readonly Loan[]
  /** The whole root can't be written to, writable loans apart. */
  readonly readOnly: boolean
  /** Without it: root, all rights kept. With it: no groups, no capabilities, no new privileges. */
  readonly uid?: number
  readonly directory?: string
}

const SCRIPT = `
set -e
root=$1 read_only=$2
shift 2
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
  mount --rbind "$1" "$root$2"
  if [ "$3" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
  shift 3
done
shift
if [ "$read_only" = yes ]; then mount -o remount,bind,ro "$root"; fi
exec chroot "$root" "$@"
`

/**
 * The command line that runs `argv` in there. It keeps its process id through all of it, so signals reach the program
 * itself. Makes the places of the loans below the root, if they are not there.
 */
export function inOwnRoot(own: OwnRoot, argv: readonly string[]): { command: string; args: string[] } {
  const loans = own.loans.flatMap(({ from, to = from, writable = false }) => {
    const place = join(own.root, to)
    if (statSync(from).isDirectory()) mkdirSync(place, { recursive: true })
    else {
      mkdirSync(dirname(place), { recursive: true })
      writeFileSync(place, '', { flag: 'a' })
    }
    return [from, to, writable ? 'rw' : 'ro']
  })
  const id = String(own.uid)
  const drop = [
    '--reuid',
    id,
    '--regid',
    id,
    '--clear-groups',
    '--no-new-privs',
    '--bounding-set=-all',
    '--inh-caps=-all',
  ]
  const go = own.directory === undefined ? [] : ['/usr/bin/env', '-C', own.directory]
  const user = own.uid === undefined ? [] : ['/usr/bin/setpriv', ...drop]
  const inside = [...user, ...go, ...argv]
  return {
    command: 'unshare',
    args: ['--mount', '/bin/sh', '-c', SCRIPT, 'sh', own.root, own.readOnly ? 'yes' : 'no', ...loans, '--', ...inside],
  }
}

const PROGRAMS = ['/usr/bin/setpriv', '/usr/bin/env', '/usr/bin/sh']

/** What any program needs of a Linux machine: the C library, a shell, the ways to become another user, /proc and /dev. */
export function essentials(root: string): Loan[] {
  mkdirSync(join(root, 'usr'), { recursive: true })
  // Where /lib is a link into /usr (merged /usr), so it is inside.
  const top = readdirSync('/').filter(name => /^(lib\d*|bin)$/.test(name))
  const links = top.filter(name => linked(`/${name}`) !== undefined)
  for (const name of links) symlinkSync(linked(`/${name}`) ?? '', join(root, name))
  const own = top.filter(name => !links.includes(name)).map(name => ({ from: `/${name}` }))
  const libraries = readdirSync('/usr/lib').filter(name => name.endsWith('-linux-gnu'))
  const folders = [...libraries.map(name => `/usr/lib/${name}`), '/usr/lib64', '/proc', '/dev']
  return [...own, ...[...folders, ...PROGRAMS].filter(exists).map(from => ({ from }))]
}

function linked(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}
