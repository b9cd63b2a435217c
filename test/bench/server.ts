import { startBearerServer } from '../../examples/servers/bearer-server.ts'

const server = await startBearerServer({ tokens: { [process.env['TOKEN'] ?? '']: 'bench' } })
process.send?.(server.url.href)
process.once('disconnect', () => server.close())
