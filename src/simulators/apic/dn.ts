/** Distinguished names: `/` separates relative names, except inside brackets, which nest. */

/** The relative names of a DN, outermost first. A DN with unbalanced brackets is taken as it comes. */
export function splitDn(dn: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < dn.length; i++) {
    const char = dn.charCodeAt(i)
    if (char === 0x5b) depth++
    else if (char === 0x5d) depth = Math.max(0, depth - 1)
    else if (char === 0x2f && depth === 0) {
      parts.push(dn.slice(start, i))
      start = i + 1
    }
  }
  parts.push(dn.slice(start))
  return parts
}

/** The last relative name. */
export function rnOf(dn: string): string {
  return splitDn(dn).at(-1) ?? ''
}

/** The DN above, or '' at the top. */
export function parentOf(dn: string): string {
  const rn = rnOf(dn)
  return dn.slice(0, Math.max(0, dn.length - rn.length - 1))
}

export function joinDn(parent: string, rn: string): string {
  return parent === '' ? rn : `${parent}/${rn}`
}

/** True when `dn` is `top` or lies below it. */
export function isWithin(dn: string, top: string): boolean {
  return dn === top || top === '' || (dn.startsWith(top) && dn.charCodeAt(top.length) === 0x2f)
}

/** `topology/pod-P/node-N` of an object that a switch or controller reports, or undefined for the fabric's own. */
export function nodeOf(dn: string): string | undefined {
  return /^topology\/pod-\d+\/node-\d+/.exec(dn)?.[0]
}
