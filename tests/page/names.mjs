// Long names, names in a script that runs from right to left, and names with tags: on every screen they stay within
// their places, as text. Where somebody wants less motion nothing moves.
import { browse, photo, shown, signIn, told, violations } from './browse.mjs';

/** Elements that are wider than their place, though nothing cuts them or lets them be scrolled on purpose. */
const wider = (page) =>
  page.evaluate(() => {
    const found = [];
    for (const one of document.querySelectorAll('body *')) {
      const style = getComputedStyle(one);
      if (one.clientWidth === 0 || one.scrollWidth <= one.clientWidth + 1 || one.closest('svg') || one.matches('input, select, textarea, .wide')) continue;
      if (style.overflowX === 'hidden' || style.overflowX === 'clip') continue;
      found.push(`${one.tagName.toLowerCase()}.${one.className} ${one.scrollWidth} > ${one.clientWidth}: ${one.textContent.trim().slice(0, 40)}`);
    }
    const page = document.scrollingElement;
    if (page.scrollWidth > page.clientWidth) found.push(`the page ${page.scrollWidth} > ${page.clientWidth}`);
    return found;
  });

/** How many elements take time to change their looks. */
const moving = (page) =>
  page.evaluate(() => {
    const takes = (text) => text.split(',').some((one) => parseFloat(one) > 0);
    return [...document.querySelectorAll('*')].filter((one) =>
      [null, '::before', '::after', '::backdrop'].some((part) => {
        const style = getComputedStyle(one, part);
        return takes(style.transitionDuration) || (style.animationName !== 'none' && takes(style.animationDuration)) || style.scrollBehavior === 'smooth';
      }),
    ).length;
  });

await browse(async ({ page, faults }) => {
  await signIn(page);
  faults.length = 0;
  const seen = { wider: {}, moving: {}, wrong: {}, lively: await moving(page) };
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const look = async (name) => {
    for (const width of [1280, 1024]) {
      await page.setViewportSize({ width, height: 800 });
      seen.wider[`${name}, ${width}`] = await wider(page);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    seen.moving[name] = await moving(page);
    seen.wrong[name] = await violations(page);
    await photo(page, `names-${name}`);
  };
  await page.evaluate((id) => fetch(`/api/v1/projects/${id}`, { method: 'DELETE' }), told.gone);
  const project = `${told.address}/#/projects/${told.project}`;
  await page.goto(project);
  await page.locator('a[href^="#/videos/"]').first().waitFor();
  await look('videos');
  await page.getByRole('button', { name: `Delete: ${told.filename}` }).click();
  await page.getByRole('dialog').waitFor();
  await look('confirm');
  await page.keyboard.press('Escape');
  for (const [screen, ready] of [['training', 'h1'], ['exports', 'input[type=checkbox]'], ['settings', 'ol input']]) {
    await page.goto(`${project}/${screen}`);
    await page.locator(`main ${ready}`).first().waitFor();
    await look(screen);
  }
  for (const [screen, ready] of [['jobs', 'tr[data-job]'], ['trash', 'tbody tr'], ['members', 'tbody tr'], ['audit', 'tbody tr'], ['storage', 'h1']]) {
    await page.goto(`${told.address}/#/${screen}`);
    await page.locator(`main ${ready}`).first().waitFor();
    await look(screen);
  }
  await page.goto(`${told.address}/#/videos/${told.video}/runs`);
  await page.locator('[data-run]').first().waitFor();
  await look('runs');

  await page.goto(`${told.address}/#/videos/${told.video}`);
  await shown(page, 0);
  await page.waitForSelector('.plot canvas[data-known=true]');
  await page.keyboard.press('Enter');
  await look('placing');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: /^More: / }).first().click();
  await page.keyboard.press('Shift+C');
  await page.keyboard.press('r');
  await page.locator('li[aria-current=true]').waitFor();
  await page.keyboard.press('{');
  await look('labelling');
  await page.keyboard.press('w');
  await look('pass');
  await page.keyboard.press('?');
  await look('keys');
  seen.scripts = await page.evaluate(() => globalThis.ran === true);
  return seen;
});
