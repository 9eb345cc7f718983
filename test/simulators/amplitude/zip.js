// ZIP archives, made byte by byte, so that they can be wrong in any way.
//
//   archive([{ name, data, stored, streamed, wrong }], { zip64 })
//
// stored: not deflated; streamed: lengths behind the data; wrong: a bit of the checksum is; zip64: lengths and
// places of 64 bits. wrong 'longer': the directory says a byte more; 'method': it is bzip2; 'encrypted': it says so.

'use strict'

const zlib = require('node:zlib')

const crcTable = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1
  return n >>> 0
})

function crc32(data) {
  let crc = 0xffffffff
  for (const byte of data) crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

const u16 = (n) => Buffer.from([n & 0xff, n >>> 8])
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n >>> 0); return b }
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b }

function archive(members, { zip64 = false, repeat = 1 } = {}) {
  const parts = []
  const entries = []
  let place = 0
  for (const { name, data, stored = false, streamed = false, wrong } of members) {
    const body = stored ? data : zlib.deflateRawSync(data)
    const crc = crc32(data) ^ (wrong === 'checksum' ? 1 : 0)
    const size = data.length + (wrong === 'longer' ? 1 : 0)
    const method = u16(wrong === 'method' ? 12 : stored ? 0 : 8)
    const flags = u16((streamed ? 8 : 0) | (wrong === 'encrypted' ? 1 : 0))
    const label = Buffer.from(name)
    const lengths = streamed ? [u32(0), u32(0), u32(0)] : [u32(crc), u32(zip64 ? 0xffffffff : body.length), u32(zip64 ? 0xffffffff : size)]
    const extra = zip64 && !streamed ? Buffer.concat([u16(1), u16(16), u64(size), u64(body.length)]) : Buffer.alloc(0)
    const header = Buffer.concat([u32(0x04034b50), u16(45), flags, method, u32(0), ...lengths, u16(label.length), u16(extra.length), label, extra])
    const behind = streamed ? Buffer.concat([u32(0x08074b50), u32(crc), u32(body.length), u32(size)]) : Buffer.alloc(0)
    const far = zip64 ? Buffer.concat([u16(1), u16(24), u64(size), u64(body.length), u64(place)]) : Buffer.alloc(0)
    parts.push(header, body, behind)
    entries.push(Buffer.concat([u32(0x02014b50), u16(45), u16(45), flags, method, u32(0), u32(crc), u32(zip64 ? 0xffffffff : body.length), u32(zip64 ? 0xffffffff : size),
      u16(label.length), u16(far.length), u16(0), u16(0), u16(0), u32(0), u32(zip64 ? 0xffffffff : place), label, far]))
    place += header.length + body.length + behind.length
  }
  const all = Array.from({ length: repeat }, () => entries).flat()
  const directory = Buffer.concat(all)
  const end = zip64
    ? [u32(0x06064b50), u64(44), u16(45), u16(45), u32(0), u32(0), u64(all.length), u64(all.length), u64(directory.length), u64(place),
        u32(0x07064b50), u32(0), u64(place + directory.length), u32(1)]
    : []
  return Buffer.concat([...parts, directory, ...end, u32(0x06054b50), u32(0), u16(zip64 ? 0xffff : all.length), u16(zip64 ? 0xffff : all.length),
    u32(zip64 ? 0xffffffff : directory.length), u32(zip64 ? 0xffffffff : place), u16(0)])
}

module.exports = { archive }
