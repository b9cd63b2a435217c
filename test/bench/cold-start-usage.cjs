// Loaded before a command: says at the end how much processor time the process has used.
const { writeFileSync } = require('node:fs')

process.once('exit', () => {
  const { user, system } = process.cpuUsage()
  writeFileSync(process.env.COLD_START_USAGE, String((user + system) / 1000))
})
