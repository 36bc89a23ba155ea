/** Light or dark: as the system has it until somebody chooses. */
type Theme = 'light' | 'dark';
const KEPT = 'posetween-theme';

function remembered(): Theme | null {
  try {
    const kept = localStorage.getItem(KEPT);
    return kept === 'light' || kept === 'dark' ? kept : null;
  } catch {
    return null;
  }
}

class Themes {
  now = $state<Theme>('light');

  begin(): void {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    this.set(remembered() ?? (dark.matches ? 'dark' : 'light'));
    dark.addEventListener('change', () => {
      if (remembered() === null) this.set(dark.matches ? 'dark' : 'light');
    });
  }

  toggle(): void {
    this.set(this.now === 'dark' ? 'light' : 'dark');
    try {
      localStorage.setItem(KEPT, this.now);
    } catch {
      // Where nothing can be kept it holds until the page is left.
    }
  }

  private set(theme: Theme): void {
    this.now = theme;
    document.documentElement.dataset['theme'] = theme;
  }
}

export const themes = new Themes();
