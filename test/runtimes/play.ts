/** Plays the cases in the runtime that runs this file, and prints a line of JSON for each. */
import { cases } from './cases.ts'

const limitMs = 30_000

for (const { name, run } of cases) {
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${limitMs / 1000} s`)), limitMs)
  })
  const outcome = await Promise.race([run(), tooLate]).then(
    () => ({ name, passed: true }),
    (error: Error) => ({ name, passed: false, problem: error.stack ?? String(error) }),
  )
  clearTimeout(timer)
  console.log(JSON.stringify(outcome))
}
