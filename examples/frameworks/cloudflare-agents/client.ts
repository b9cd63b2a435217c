import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { callRepeatedly, issuer, url } from '../session.ts'
mkdirSync('storage', { recursive: true })
const child = spawn('/root/.npm/_npx/9124f7d26bc0828e/node_modules/.bin/workerd', ['serve', 'config.capnp', '--control-fd=3', '--experimental'], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] })
let text = ''
const port = await new Promise<number>((resolve) => child.stdio[3]?.on('data', (c) => { text += c; const l = text.split('\n').find((x) => x.includes('"listen"')); if (l) resolve(JSON.parse(l).port) }))
const post = async (body: object) => (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: JSON.stringify(body) })).text()
console.log(await post({ url, issuer, clientSecret: process.env['MCP_CLIENT_SECRET'] }))
await callRepeatedly(async (text) => JSON.parse(await post({ text })))
child.kill()
