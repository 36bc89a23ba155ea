import { mount } from 'svelte';
import App from './App.svelte';
import './theme/theme.css';
import { themes } from './theme/theme.svelte';

themes.begin();
const target = document.getElementById('page');
if (target) mount(App, { target });
