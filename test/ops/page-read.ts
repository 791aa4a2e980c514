/** The page as a reader has it: the document behind it, and its words. */
import type { StatusDocument } from '../../src/ops/status.ts'
import type { Scene } from './page-scenes.ts'

/** Of a scene that is asked no more by its timer. */
export async function documentOf(making: Promise<Scene> | Scene): Promise<StatusDocument> {
  const { ops } = await making
  ops.close()
  // As everybody sees it: numbers, strings, null.
  return JSON.parse(JSON.stringify(ops.status())) as StatusDocument
}

/** What a reader reads: no tags, no style, no script. */
export function textOf(page: string): string {
  return page
    .replace(/<(style|script|title)>[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(
      /&(amp|lt|gt|quot|#39);/g,
      (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" })[name] ?? '',
    )
    .replace(/\s+/g, ' ')
}
