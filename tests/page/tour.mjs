// The tour in three browsers: one in which it is refused, one in which it is gone through, and one in which it is left.
import { browse, drag, drawn, goTo, photo, shown, signIn, spot, theme, told, violations, watched } from './browse.mjs';

await browse(async ({ page, browser, faults }) => {
  const wrong = {};
  /** Look at the page in both themes. */
  const look = async (name, on = page) => {
    for (const one of ['light', 'dark']) {
      await theme(on, one);
      wrong[`${name}, ${one}`] = await violations(on);
      await photo(on, `tour-${name}-${one}`);
    }
  };
  const step = (name) => page.locator(`aside[data-step="${name}"]`).waitFor();
  const present = () => page.locator('aside[data-step]').getAttribute('data-step');
  const seen = {};

  const other = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  watched(other);
  await signIn(other);
  await look('offer', other);
  await other.getByRole('button', { name: 'Not now' }).click();
  await other.getByRole('button', { name: 'Take the tour' }).waitFor();
  await other.reload();
  await other.getByRole('button', { name: 'Take the tour' }).waitFor();
  seen.refused = await other.getByRole('button', { name: 'Begin the tour' }).count();
  await look('refused', other);

  await signIn(page);
  faults.length = 0; // Before it signed in the browser was told 401.
  await page.getByRole('button', { name: 'Begin the tour' }).click();
  await shown(page, 0);
  await step('label');
  await look('label');
  const begun = Date.now();

  async function place(points) {
    for (const [name, at] of points) {
      await page.getByText(`Click: ${name}`, { exact: true }).waitFor();
      await page.mouse.click(...(await spot(page, at)));
    }
  }

  const [first, second, third] = Object.entries(told.poses).map(([, pose]) => Object.entries(pose));
  const height = (await page.locator('.stage').boundingBox()).height;
  await place(first.slice(0, 5));
  await page.getByText(`${first.length - 5} keypoints of this frame to go`).waitFor();
  seen.begun = await present();
  await place(first.slice(5));
  await page.getByText('1 of 3 done').waitFor();
  seen.moved = (await page.locator('.stage').boundingBox()).height - height;
  await page.reload();
  await shown(page, 0);
  await page.getByText('1 of 3 done').waitFor();
  await goTo(page, told.frames[1]);
  await place(second);
  await page.getByText('2 of 3 done').waitFor();
  await page.keyboard.press('End');
  await shown(page, told.frames[2]);
  await place(third);
  await step('propagate');
  await look('propagate');
  await page.getByRole('button', { name: 'Propagate', exact: true }).click();
  await step('fix');
  await page.keyboard.press('r');
  await page.locator('aside[data-step]').getByText('Fix one').waitFor();
  await page.waitForFunction((frames) => !frames.includes(Number(document.querySelector('.screen').dataset.shown)), told.frames);
  await drawn(page); // the view follows the subject
  await look('fix');
  await drag(page, 'hip', [9, 6]);
  await step('export');
  await look('export');
  await page.getByRole('link', { name: 'To the exports' }).click();
  await page.getByRole('button', { name: 'Export COCO' }).click();
  await step('end');
  seen.seconds = (Date.now() - begun) / 1000;
  seen.end = await page.getByRole('status').first().innerText();
  await look('end');
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await page.reload();
  await page.getByRole('link', { name: /^Download/ }).waitFor();
  seen.after = await page.locator('aside[data-step]').count();

  // Where there is a project it is not offered, and found in the palette.
  await other.reload();
  await other.getByRole('heading', { name: 'Tour: a walk' }).waitFor();
  seen.offered = await other.getByRole('button', { name: /tour/i }).count();
  await other.keyboard.press('Control+k');
  await other.getByRole('combobox').fill('take the tour');
  await other.keyboard.press('Enter');
  await other.locator('aside[data-step]').waitFor();
  await other.reload();
  await other.locator('aside[data-step]').waitFor();
  await other.getByRole('button', { name: 'Leave the tour' }).click();
  await other.reload();
  await other.getByRole('navigation', { name: 'Screens', exact: true }).waitFor();
  seen.left = await other.locator('aside[data-step]').count();
  return { ...seen, wrong };
});
