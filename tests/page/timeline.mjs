// The timeline: what is plotted above it, a range, small pictures of what is pointed at.
import { browse, drag, goTo, openPropagated, photo, saved, shown, theme, told, violations, withhold } from './browse.mjs';

await browse(async ({ page, context, faults }) => {
  await openPropagated(page, faults);
  const seen = { wrong: {} };
  const plot = await page.locator('.plot canvas').boundingBox();
  const lanes = await page.getByRole('slider', { name: 'Frame' }).boundingBox();
  /** The middle of a frame, from the left. */
  const at = (frame) => plot.x + ((frame + 0.5) / told.frames) * plot.width;
  const value = (text) => page.getByTestId('plot-value').filter({ hasText: text });
  const plotted = () => page.getByLabel('Plotted quantity').evaluate((one) => one.selectedOptions[0].textContent);

  const chosen = page.locator('aside li', { hasText: told.keypoint }).getByRole('button');
  // The radius of the worst keypoint, then x of the one that is selected, by mouse and by key.
  await goTo(page, told.between);
  await value(/^\d+(\.\d)? px$/).waitFor();
  seen.quantities = [await plotted()];
  seen.radius = await page.getByTestId('plot-value').innerText();
  await chosen.click();
  await page.keyboard.press('j');
  await value('px/frame').waitFor();
  seen.quantities.push(await plotted());
  await page.keyboard.press('j');
  await value(/^\d+ px$/).waitFor();
  seen.quantities.push(await plotted());
  seen.x = await page.getByTestId('plot-value').innerText();
  await page.waitForSelector('.plot canvas[data-known=true]');
  await photo(page, 'plot');

  // What is pointed at has a small picture: of many frames that are passed in a hurry only one is asked for at a time.
  const pictures = [];
  let open = 0;
  seen.most = 0;
  const small = (request) => /frames\/\d+\?width/.test(request.url());
  page.on('request', (request) => {
    if (!small(request)) return;
    pictures.push(Number(request.url().match(/frames\/(\d+)/)[1]));
    seen.most = Math.max(seen.most, ++open);
  });
  for (const kind of ['requestfinished', 'requestfailed']) page.on(kind, (request) => small(request) && open--);
  await page.mouse.move(at(2), plot.y + 20);
  await page.mouse.move(at(told.frames - 2), plot.y + 20, { steps: 30 });
  const thumbnail = page.getByTestId('thumbnail');
  await thumbnail.getByText(new RegExp(`^${told.frames - 2} `)).waitFor();
  await page.waitForFunction(() => document.querySelector('[data-testid=thumbnail] img')?.naturalWidth > 0);
  while (pictures.at(-1) !== told.frames - 2) await page.waitForEvent('request', small);
  seen.pictures = pictures.length;
  for (const one of ['light', 'dark']) {
    await theme(page, one);
    seen.wrong[one] = await violations(page);
    await photo(page, `timeline-${one}`);
  }
  await page.mouse.move(10, 10);
  await thumbnail.waitFor({ state: 'detached' });

  // A range is dragged, and mended by its edge; a click goes there; Esc forgets it.
  const range = () => page.getByLabel(/^Only frames/);
  const named = () => page.locator('label', { has: range() }).innerText();
  const pull = async (from, to, y) => {
    await page.mouse.move(from, y);
    await page.mouse.down();
    await page.mouse.move(to, y, { steps: 4 });
    await page.mouse.up();
  };
  await pull(at(5), at(12), plot.y + 25);
  seen.ranges = [await named()];
  await pull(plot.x + (13 / told.frames) * plot.width, at(9), plot.y + 25);
  seen.ranges.push(await named());
  await page.mouse.click(at(18), plot.y + 25);
  await shown(page, 18);
  await page.keyboard.press('}');
  seen.ranges.push(await named());
  await page.keyboard.press('Escape');
  await range().waitFor({ state: 'detached' });
  await page.keyboard.down('Shift');
  await pull(at(told.range[1] - 1), at(told.range[0]), lanes.y + 30);
  await page.keyboard.up('Shift');
  seen.ranges.push(await named());
  await shown(page, 18);

  // It is what is propagated.
  await page.getByLabel('Engine').selectOption('linear');
  await page.getByRole('button', { name: 'Propagate', exact: true }).click();
  await page.locator('aside li', { hasText: /^Run \d+ .* done/ }).nth(1).waitFor();
  await page.getByRole('button', { name: 'Forget the range' }).click();
  await range().waitFor({ state: 'detached' });

  // What is plotted follows an edit that was saved.
  await goTo(page, told.between);
  const before = await page.getByTestId('plot-value').innerText();
  await drag(page, told.keypoint, [60, 0]);
  await saved(page);
  await page.waitForFunction((was) => document.querySelector('[data-testid=plot-value]').innerText !== was, before);
  seen.edited = [before, await page.getByTestId('plot-value').innerText()];

  // A frame is not blank because its poses are late: nothing is placed on it by who clicks meanwhile.
  const release = await withhold(page, /\/poses\?/);
  await page.reload();
  await shown(page, 0);
  await goTo(page, told.between + 1);
  await chosen.click();
  seen.asked = await page.getByText(/^Click:/).count();
  await release();
  await page.locator(`svg circle[data-keypoint="${told.keypoint}"]`).waitFor();
  return seen;
});
