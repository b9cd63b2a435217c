/** The page for those who are not signed in. */
export const signInPage = page(
  '<form method="post" action="/sign-in"><input name="user"><button>Sign in</button></form>',
)

/** The page for those who are. */
export function serverPage(user: string): string {
  return page(`<h1>${escaped(user)}</h1>
<form method="post">
<input name="server" size="60">
<button formaction="/connect">Connect</button>
<button formaction="/whoami">Who am I?</button>
</form>`)
}

/** A page that says one thing. */
export function textPage(id: string, text: string): string {
  return page(`<p id="${id}">${escaped(text)}</p><p><a href="/">Back</a></p>`)
}

function page(body: string): string {
  return `<!doctype html><title>Notes for teams</title>${body}`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
