// Work at the labelling desk beyond placing: subjects, keys, the palette, a keypoint pass.
import { browse, drag, goTo, keypoint, photo, saved, shown, signIn, theme, told, violations, withhold } from './browse.mjs';

await browse(async ({ page, faults }) => {
  await signIn(page);
  faults.length = 0;
  const seen = { wrong: {} };
  const names = () => page.locator('aside li .name').allInnerTexts();
  const subject = (name) => page.locator('aside li', { has: page.getByRole('button', { name, exact: true }) });
  const act = async (name, what) => {
    await page.getByRole('button', { name: `More: ${name}` }).click();
    await page.getByRole('button', { name: what, exact: true }).click();
  };
  const undone = async () => {
    await page.keyboard.press('Control+z');
    await page.getByText('The change of subjects was undone.').waitFor();
  };
  await page.goto(`${told.address}/#/videos/${told.video}`);
  await shown(page, 0);
  await subject('left fly').waitFor();
  await saved(page);

  // An edit, then acts on subjects, and all of it back again in order.
  const before = (await keypoint(page, told.keypoint)).at;
  await drag(page, told.keypoint, [30, 0]);
  await saved(page);
  const moved = (await keypoint(page, told.keypoint)).at;
  await act('left fly', 'Rename');
  await page.getByLabel('Rename').fill('أنثى <b>');
  await page.keyboard.press('Enter');
  await subject('أنثى <b>').waitFor();
  await act('أنثى <b>', 'Swap from here on…');
  await page.locator('.menu').getByRole('button', { name: 'right fly' }).click();
  await page.waitForFunction(([name, x]) => Number(document.querySelector(`svg circle[data-keypoint="${name}"]`)?.dataset.x) !== x, [told.keypoint, moved[0]]);
  seen.swapped = (await keypoint(page, told.keypoint)).at;
  await undone();
  await act('أنثى <b>', 'Merge into…');
  await page.locator('.menu').getByRole('button', { name: 'right fly' }).click();
  await page.getByText(/both are labelled/).waitFor();
  await page.getByRole('button', { name: 'That of right fly' }).click();
  await subject('أنثى <b>').waitFor({ state: 'detached' });
  seen.merged = await names();
  await undone();
  await subject('أنثى <b>').waitFor();
  await act('right fly', 'Delete');
  await subject('right fly').waitFor({ state: 'detached' });
  await undone();
  await subject('right fly').waitFor();
  await page.keyboard.press('Control+Shift+z');
  await subject('right fly').waitFor({ state: 'detached' });
  await page.keyboard.press('Control+z');
  await subject('right fly').waitFor();
  await page.getByRole('button', { name: 'أنثى <b>', exact: true }).click();
  await undone();
  await subject('left fly').waitFor();
  await page.keyboard.press('Control+z');
  await page.waitForFunction(([name, x]) => Number(document.querySelector(`svg circle[data-keypoint="${name}"]`)?.dataset.x) === x, [told.keypoint, before[0]]);
  await saved(page);
  seen.back = [before, (await keypoint(page, told.keypoint)).at];

  // An act on a subject is of the frame that it was chosen on, though what waits is saved first.
  await goTo(page, 10);
  const release = await withhold(page, '**/labels');
  await drag(page, told.keypoint, [20, 0]);
  const split = page.waitForRequest((request) => request.url().endsWith('/split'));
  await act('left fly', 'Split from here on');
  await page.keyboard.press('ArrowRight');
  await shown(page, 11);
  await release();
  seen.split = (await split).postDataJSON();
  await page.locator('aside li .name').nth(2).waitFor();
  await undone();
  await page.keyboard.press('Control+z');
  await shown(page, 10);
  await page.keyboard.press('Control+z');
  await saved(page);

  // A colour is chosen and kept.
  await page.getByRole('button', { name: 'More: left fly' }).click();
  await page.getByLabel('Colour 6').check({ force: true });
  await page.reload();
  await shown(page, 0);
  seen.colour = await subject('left fly').locator('i').first().evaluate((one) => getComputedStyle(one).backgroundColor);

  // The palette finds acts; keys can be changed, with a warning; nothing happens while somebody types.
  await page.keyboard.press('Control+k');
  const palette = page.getByRole('dialog', { name: 'Find an act' });
  await palette.waitFor();
  seen.wrong.palette = await violations(page);
  await page.keyboard.type('last frame');
  // Keys right after the one that closes a dialog are heard, here and below.
  await Promise.all([page.keyboard.press('Enter'), page.keyboard.press('?')]);
  await shown(page, told.frames - 1);
  const help = page.getByRole('dialog', { name: 'Keys' });
  await help.waitFor();
  for (const one of ['light', 'dark']) {
    await theme(page, one);
    seen.wrong[`keys, ${one}`] = await violations(page);
  }
  await help.locator('[data-act=first]').click();
  await page.keyboard.press('m');
  seen.warned = await help.getByRole('alert').innerText();
  await help.getByRole('button', { name: 'Take it' }).click();
  seen.keys = [await help.locator('[data-act=first]').innerText(), await help.locator('[data-act=middle]').innerText()];
  await photo(page, 'keys');
  await Promise.all([page.keyboard.press('Escape'), page.keyboard.press('m')]);
  await shown(page, 0);
  await help.waitFor({ state: 'detached' });
  await page.getByLabel('Frame number').focus();
  await page.keyboard.press('f');
  await page.keyboard.press('Escape');
  seen.typed = await page.locator('.screen').getAttribute('data-shown');
  await page.keyboard.press('?');
  await help.getByRole('button', { name: 'All keys as they were' }).click();
  await page.keyboard.press('Escape');

  // M goes between the two keyframes around.
  await goTo(page, 3);
  await page.keyboard.press('m');
  await page.waitForFunction(() => document.querySelector('.screen').dataset.shown !== '3');
  seen.middle = Number(await page.locator('.screen').getAttribute('data-shown'));

  // The ghost of the keyframe before, of the one after, none: the sentence, and what is drawn.
  await goTo(page, 4);
  const ghost = page.getByTestId('ghost');
  const overlay = () => page.locator('.stage canvas').nth(1).evaluate((one) => one.toDataURL());
  const ghosts = async (text) => {
    if (text) await ghost.getByText(text).waitFor();
    else await ghost.waitFor({ state: 'detached' });
    await page.evaluate(() => new Promise(requestAnimationFrame));
    return overlay();
  };
  const plain = await overlay();
  await page.keyboard.press('o');
  seen.ghosts = [await ghosts('Ghost of the keyframe before: frame 0')];
  for (const one of ['light', 'dark']) {
    await theme(page, one);
    seen.wrong[`ghost, ${one}`] = await violations(page);
    await photo(page, `ghost-${one}`);
  }
  await page.keyboard.press('o');
  seen.ghosts.push(await ghosts('Ghost of the keyframe after: frame 10'));
  await photo(page, 'ghost-after');
  await goTo(page, told.frames - 1);
  await ghost.getByText('No keyframe after this one').waitFor();
  await goTo(page, 4);
  await page.keyboard.press('o');
  seen.ghosts.push((await ghosts(null)) === plain);

  // A pass of one keypoint through the frames, zoomed in: click, right click, skip, back.
  await page.locator('aside li', { hasText: told.keypoint }).getByRole('button').click();
  await page.keyboard.press('w');
  const pass = page.getByRole('region', { name: 'Keypoint pass' });
  await pass.getByLabel('Frames').selectOption({ label: 'every 5 frames' });
  const status = async () => [await pass.getByRole('status').locator('strong').innerText(), Number(await page.locator('.screen').getAttribute('data-shown'))];
  const on = (frame) => shown(page, frame);
  await on(5);
  seen.pass = [await status()];
  const box = await page.locator('.stage').boundingBox();
  const middle = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.click(...middle);
  await on(15);
  await page.mouse.click(...middle, { button: 'right' });
  await on(25);
  await page.keyboard.press('b');
  await on(15);
  await page.keyboard.press('s');
  await on(25);
  seen.pass.push(await status());
  for (const one of ['light', 'dark']) {
    await theme(page, one);
    seen.wrong[`pass, ${one}`] = await violations(page);
    await photo(page, `pass-${one}`);
  }
  await page.keyboard.press('s');
  await page.getByText('The pass is done.').waitFor();
  await page.keyboard.press('0');
  await goTo(page, 5);
  seen.placed = await keypoint(page, told.keypoint);
  await saved(page);

  // A keyframe by the keyboard alone: a cross that arrows move goes through the checklist.
  await page.keyboard.press('1');
  await page.keyboard.press('g');
  await page.keyboard.type(String(told.alone));
  await page.keyboard.press('Enter');
  await shown(page, told.alone);
  const cross = page.locator('[data-hand]');
  const crossed = async () => (await cross.getAttribute('data-hand')).split(' ').map(Number);
  await page.keyboard.press('q');
  await page.getByText(`Click: ${told.names[0]}`, { exact: true }).waitFor();
  seen.cross = [await crossed()];
  for (let step = 0; step < 3; step++) await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('ArrowDown');
  seen.cross.push(await crossed());
  for (const one of ['light', 'dark']) {
    await theme(page, one);
    seen.wrong[`hand, ${one}`] = await violations(page);
    await photo(page, `hand-${one}`);
  }
  await page.keyboard.press('Enter');
  await page.getByText(`Click: ${told.names[1]}`, { exact: true }).waitFor();
  await page.keyboard.press('v');
  for (const name of told.names.slice(2)) {
    await page.getByText(`Click: ${name}`, { exact: true }).waitFor();
    await page.keyboard.press('Space');
  }
  await page.getByText('Everything is placed.').waitFor();
  // Of what is placed the selected keypoint is moved in the same way.
  await page.keyboard.press('ArrowLeft');
  seen.nudged = await crossed();
  await page.keyboard.press('Enter');
  await saved(page);
  await page.keyboard.press('q');
  await cross.waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');

  // Brightness and contrast by key, and a loupe.
  await page.keyboard.press('i');
  await page.keyboard.press('k');
  seen.filter = await page.locator('.stage canvas').first().evaluate((one) => one.style.filter);
  await page.keyboard.press('u');
  seen.plain = await page.locator('.stage canvas').first().evaluate((one) => one.style.filter);
  await page.keyboard.press('l');
  await page.mouse.move(...middle);
  await page.locator('.loupe').waitFor();
  await photo(page, 'loupe');
  await page.keyboard.press('l');
  return seen;
});
